"""The notify service: e-mails and the status topic, each by one process at a time."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from events import topics
from events.log import clients
from services.foundation import Foundation, foundation
from services.notify.audience import WithoutTwoFactor
from services.notify.follower import Follower, Handle
from services.notify.notifier import Notifier
from services.notify.ports import Audience
from services.notify.progress import GroupProgress
from services.notify.smtp import SmtpMailer
from services.notify.status import StatusPublisher, to_topic
from services.notify.writing import Writing
from services.settings import Settings

MAIL: Final = "twofold.notify"
STATUS: Final = "twofold.status"

log = structlog.get_logger()

Work = Callable[[], Awaitable[None]]
Held = Callable[[str, Work], Awaitable[None]]
"""Does work whenever the lease of that name is held."""


async def run(settings: Settings) -> None:
    """
    Follow until told to stop (SIGINT, SIGTERM).

    Raises:
        CannotStartError: Something is missing or unsafe; a sentence for whoever operates it.
    """
    serving = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: serving and serving.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        async with foundation(settings, "twofold/notify") as found:
            producer = clients.producer(found.connection)
            await producer.start()
            try:
                mail = _mail(found), WithoutTwoFactor(found.queries)
                await _follow(found, {MAIL: mail, STATUS: (_status(producer), None)})
            finally:
                await producer.stop()


def _mail(found: Foundation) -> Handle:
    settings = found.settings
    notifier = Notifier(
        follows=found.follows,
        people=found.queries,
        mailer=SmtpMailer(
            settings.smtp, settings.mail_from, encrypted=settings.mode == "production"
        ),
        writing=Writing(settings.auth_url, found.ring.derive("link")),
        encryption=found.ring.encryption,
        clock=found.now,
    )
    return notifier.handle


def _status(producer: AIOKafkaProducer) -> Handle:
    return StatusPublisher(to_topic(producer)).handle


async def _follow(found: Foundation, tasks: dict[str, tuple[Handle, Audience | None]]) -> None:
    leases = found.leases(list(tasks))
    async with asyncio.TaskGroup() as following:
        following.create_task(leases.run())
        for name, (handle, audience) in tasks.items():
            following.create_task(_hold(found, leases.held, name, handle, audience))
        log.info("notify.ready")


async def _hold(
    found: Foundation, held: Held, name: str, handle: Handle, audience: Audience | None
) -> None:
    """Follow whenever the lease is held; from the kept progress each time."""

    async def work() -> None:
        progress = GroupProgress(found.connection, group=name, topic=topics.EVENTS.name)
        try:
            await progress.start(found.log.partitions)
            await Follower(
                name,
                follows=found.follows,
                passed=found.fates.passed,
                progress=progress,
                handle=handle,
                audience=audience,
                partitions=found.log.partitions,
            ).run()
        finally:
            await progress.stop()

    while True:
        try:
            await held(name, work)
        except Exception:
            log.exception("follower.failed", follower=name)
        await asyncio.sleep(1)
