"""The process that folds: every partition's projector, the vault's keeper, health and metrics."""

import asyncio
import contextlib
import socket

import structlog

from events import topics
from services.foundation import foundation
from services.projections.keeper import Keeper
from services.projections.projector import Source
from services.projections.running import Projections
from services.settings import Settings
from services.web.health import inside
from services.web.serving import Served, listen, serve

log = structlog.get_logger(__name__)


async def run(settings: Settings, *, host: str = "127.0.0.1", port: int = 8002) -> None:
    """
    Fold until told to stop (SIGINT, SIGTERM).

    Args:
        settings: Checked.
        host: Where health and metrics are served.
        port: Likewise.

    Raises:
        CannotStartError: Something is missing or unsafe.
    """
    with contextlib.closing(listen(host, port)) as listening:
        await _run(settings, listening)


async def _run(settings: Settings, listening: socket.socket) -> None:
    async with foundation(settings, "twofold/projections") as base:
        keeper = Keeper(
            base.pool,
            base.vault_topic,
            base.ring.encryption,
            events=topics.EVENTS.name,
            tick=base.writer.tick,
        )
        projections = Projections(
            base.pool,
            [
                Source(topics.EVENTS.name, base.log),
                Source(topics.STRANGERS.name, base.strangers_log, forgetful=True),
            ],
            base.vault_topic,
            base.ring,
            others={"keeper": keeper.run},
        )
        app = inside(projections.ready, service="projections")
        folding = asyncio.create_task(projections.run())
        serving = asyncio.create_task(serve(Served(app, listening)))
        log.info("project.started", listening=listening.getsockname()[1])
        try:
            await asyncio.wait({folding, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (folding, serving):
                task.cancel()
            await asyncio.wait({folding, serving})
        for task in (folding, serving):
            if not task.cancelled():
                task.result()
        log.info("project.stopped")
