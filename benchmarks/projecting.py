"""The projector in a process of its own, as it runs in production."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import uvloop

from events.keys import KeyRing
from events.log.kafka import KafkaLog
from events.vault.topic import VaultTopic
from services import logs
from services.projections.database import open_pool
from services.projections.projector import Source
from services.projections.running import Projections


@dataclass(frozen=True, slots=True)
class Projecting:
    """What the process is told."""

    kafka: str
    database: str
    events: str
    strangers: str
    vault: str
    partitions: int
    ring: KeyRing = field(repr=False)


@asynccontextmanager
async def projector(told: Projecting) -> AsyncIterator[None]:
    """Fold beside, until the block ends."""
    process = multiprocessing.get_context("spawn").Process(target=_main, args=(told,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


def _main(told: Projecting) -> None:
    logs.configure("benchmarks", level="WARNING")
    uvloop.run(_project(told))


async def _project(told: Projecting) -> None:
    async with AsyncExitStack() as stack:
        pool = await open_pool(told.database, largest=8)
        stack.push_async_callback(pool.close)
        events, strangers = [
            await stack.enter_async_context(KafkaLog(told.kafka, topic, told.partitions))
            for topic in (told.events, told.strangers)
        ]
        vault = await stack.enter_async_context(VaultTopic(told.kafka, told.vault, told.partitions))
        sources = [
            Source(told.events, events),
            Source(told.strangers, strangers, forgetful=True),
        ]
        await Projections(pool, sources, vault, told.ring).run()
