"""The notify service: e-mails and the status topic, each by one process at a time."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Effect:
    """A side effect, as `Follower` takes it."""

    handle: Handle
    audience: Audience | None = None
    accepted: Callable[[], int] = lambda: 0


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
                await _follow(found, {MAIL: _mail(found), STATUS: _status(producer)})
            finally:
                await producer.stop()


def _mail(found: Foundation) -> _Effect:
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
    return _Effect(notifier.handle, WithoutTwoFactor(found.queries), lambda: notifier.accepted)


def _status(producer: AIOKafkaProducer) -> _Effect:
    return _Effect(StatusPublisher(to_topic(producer)).handle)


async def _follow(found: Foundation, effects: dict[str, _Effect]) -> None:
    leases = found.leases(list(effects))
    async with asyncio.TaskGroup() as following:
        following.create_task(leases.run())
        for name, effect in effects.items():
            following.create_task(_hold(found, leases.held, name, effect))
        log.info("notify.ready")


async def _hold(found: Foundation, held: Held, name: str, effect: _Effect) -> None:
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
                handle=effect.handle,
                audience=effect.audience,
                accepted=effect.accepted,
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
