"""The staff service: the consumer of commands and the HTTP side, in one process."""

import asyncio
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from events import topics
from events.log.port import LogUnavailableError
from services.foundation import CannotStartError, Foundation, foundation
from services.settings import Settings
from services.staff.adapters.lease import advisory_leases
from services.staff.adapters.outbox import KafkaOutbox
from services.staff.adapters.source import KafkaSource
from services.staff.consumer import Consumer
from services.staff.deciding import Deciding
from services.staff.folded import folded
from services.staff.handlers import CommandHandler
from services.staff.publishers import PublishersError, PublishersFile
from services.staff.stops import Stops
from services.staff.usernames import Usernames
from services.staff.web.app import build
from services.staff.web.ground import Ground
from services.web.connections import Limits
from services.web.health import inside
from services.web.pages.places import Places
from services.web.plumbing import Plumbing
from services.web.serving import ANY_PORT, Served, listen_twice, serve

SOURCE = "twofold/staff"

log = structlog.get_logger(__name__)


def clock() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


async def run(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8001,
    metrics: tuple[str, int] = ANY_PORT,
) -> None:
    """
    Serve, and deal with commands, until told to stop (SIGINT, SIGTERM).

    Args:
        settings: Checked.
        host: Where to listen.
        port: Likewise.
        metrics: Where to listen for whoever runs it: address and port.

    Raises:
        CannotStartError: Something is missing or unsafe.
    """
    with listen_twice((host, port), metrics) as (outer, inner):
        await _run(settings, outer, inner)


async def _run(settings: Settings, outer: socket.socket, inner: socket.socket) -> None:
    try:
        publishers = PublishersFile(settings.publishers)
    except PublishersError as error:
        raise CannotStartError(str(error)) from error
    async with (
        foundation(settings, SOURCE) as base,
        KafkaOutbox(base.connection, clock=clock) as outbox,
    ):
        stops = Stops()
        ground = ground_on(base, publishers, outbox, stops)
        places = Places(auth=settings.auth_url, staff=settings.staff_url)
        app = Plumbing(
            build(ground, places), service="staff", trusted_proxies=settings.trusted_proxies
        )
        consumer = await consumer_on(base, publishers, outbox, stops)
        consuming = asyncio.create_task(consumer.run())
        serving = asyncio.create_task(
            serve(
                Served(app, outer, Limits(connections=settings.connections)),
                Served(inside(ground.ready, service="staff"), inner),
            )
        )
        log.info("staff.started", port=outer.getsockname()[1], metrics=inner.getsockname()[1])
        both = {consuming, serving}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)  # Both, whichever failed: they stand on what is closed next.
        for task in both:
            if not task.cancelled():
                task.result()
        log.info("staff.stopped")


def handler_on(base: Foundation, publishers: PublishersFile) -> CommandHandler:
    """What becomes of commands."""
    usernames = Usernames(base.loads, base.writer, clock)
    deciding = Deciding(
        loads=base.loads,
        vault=base.vault,
        ring=base.ring,
        usernames=usernames,
        random_bytes=os.urandom,
    )
    return CommandHandler(
        loads=base.loads,
        writer=base.writer,
        publishers=publishers,
        deciding=deciding,
        home=base.settings.home_organisation,
        audience=base.settings.commands_audience,
        now=base.now,
        clock=clock,
    )


async def consumer_on(
    base: Foundation, publishers: PublishersFile, outbox: KafkaOutbox, stops: Stops
) -> Consumer:
    """The consumer of the commands' topic."""
    return Consumer(
        partitions=await outbox.partitions(),
        source=lambda partition: KafkaSource(base.connection, topics.COMMANDS.name, partition),
        outlet=outbox,
        handler=handler_on(base, publishers),
        lease=advisory_leases(base.settings.database.get_secret_value()),
        folded=lambda: folded(base.log, base.fates, base.queries),
        stops=stops,
    )


def ground_on(
    base: Foundation, publishers: PublishersFile, outbox: KafkaOutbox, stops: Stops | None = None
) -> Ground:
    """What the web side stands on; with *stops* it tells, too, which commands stand still here."""

    async def ready() -> Sequence[str]:
        await base.queries.organisations(1)
        if base.log.away:
            raise LogUnavailableError("Kafka is away.")
        return stops.sentences() if stops else ()

    return Ground(
        loads=base.loads,
        queries=base.queries,
        vault=base.vault,
        ring=base.ring,
        publishers=publishers,
        outbox=outbox,
        home=base.settings.home_organisation,
        audience=base.settings.commands_audience,
        now=base.now,
        clock=clock,
        ready=ready,
    )
