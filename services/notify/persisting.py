"""Trying until it works what others are needed for: nothing is skipped, nothing overtakes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from events.log.port import LogError
from events.vault.port import VaultUnavailableError
from services.notify.ports import MailUnavailableError
from services.projections.port import ProjectionUnavailableError

log = structlog.get_logger()

T = TypeVar("T")

TRY_AGAIN: Final = (
    MailUnavailableError, LogError, ProjectionUnavailableError, VaultUnavailableError, OSError,
)  # fmt: skip
"""What somebody else's outage looks like."""

_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # Seconds.


async def persist(follower: str, partition: int, step: Callable[[], Awaitable[T]]) -> T:
    """Try *step* until it raises none of `TRY_AGAIN`; who waits, and where, is for logs."""
    pause = _PAUSE
    while True:
        try:
            return await step()
        except TRY_AGAIN as error:
            log.warning(
                "follower.waiting",
                follower=follower, partition=partition, why=type(error).__name__, seconds=pause,
            )  # fmt: skip
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
