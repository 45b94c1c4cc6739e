"""Stages to play on: in memory, and on a real broker and a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from events import keys, marks, streams
from events.envelope import Envelope
from events.envelope import seal as seal_record
from events.keys import KeyRing
from events.log.memory import MemoryLog
from events.log.proposal import Signer
from events.log.writer import Writer
from events.vault.memory import MemoryVault
from services.auth.adapters.passwords import Argon2Passwords
from tests.services.auth.memory import MemoryLoads
from tests.services.auth.stage import Stage
from tests.services.projections.worlds import make_world, until


@asynccontextmanager
async def memory_stage() -> AsyncIterator[Stage]:
    """A stage in memory: every acknowledged record is folded at once."""
    ring = keys.generate()
    events, strangers = MemoryLog(ring.mac.keys), MemoryLog(ring.mac.keys, forgetful=True)
    await events.append(0, [_genesis(ring)])
    signer = Signer("twofold/tests", ring.mac.current, ring.mac.key, 1)
    passwords = Argon2Passwords(ring.derive("pepper"), memory_kib=64)
    stage = Stage(
        ring=ring,
        loads=MemoryLoads(events, strangers),
        vault=MemoryVault(),
        events=Writer(events, events, signer),
        strangers=Writer(strangers, strangers, signer),
        passwords=passwords,
        logs=(events, strangers),
    )
    yield stage
    await stage.close()
    passwords.close()


def _genesis(ring: KeyRing) -> bytes:
    fact = marks.Genesis(generation=str(uuid4()), partitions=1)
    now = datetime.now(UTC)
    envelope = Envelope(
        id=str(uuid4()),
        source="twofold/tests",
        type=fact.wire_name,
        time=now,
        subject=streams.log(0),
        deadline=now + timedelta(seconds=10),
        actor="system",
        correlation_id="genesis",
        data=fact.to_json(),
    )
    return seal_record(envelope, ring.mac.current, ring.mac.key)


@asynccontextmanager
async def real_stage(kafka: str, database: str) -> AsyncIterator[Stage]:
    """A stage on a real broker and a real database, folded all the while."""
    passwords: Argon2Passwords | None = None
    async with make_world(kafka, database) as world, world.folding() as projections:

        async def ready() -> bool:
            try:
                await projections.ready()
            except Exception:  # noqa: BLE001 -- Not yet.
                return False
            return True

        await until(ready)
        passwords = Argon2Passwords(world.ring.derive("pepper"), memory_kib=64)
        stage = Stage(
            ring=world.ring,
            loads=world.loads,
            vault=world.vault,
            events=world.writer,
            strangers=world.stranger_writer,
            passwords=passwords,
            world=world,
        )
        try:
            yield stage
        finally:
            await stage.close()
            passwords.close()
