"""
Following counted events for their side effects: each partition in order, each event until it is
dealt with, and never a rebuild's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import structlog

from events.facts import Counted
from events.log.cancelling import heed_cancellation
from events.log.port import LogError
from events.person import Person
from events.vault.port import MissingEntryError, VaultUnavailableError
from services.notify.ports import MailUnavailableError, Progress
from services.projections.port import Follows, ProjectionUnavailableError

log = structlog.get_logger()

T = TypeVar("T")

FIRST_LOOK_BACK: Final = timedelta(hours=1)
"""How old an event may be that is dealt with where no progress was ever kept, or it was lost."""

WAIT: Final = timedelta(seconds=5)
"""How long to wait for news before looking whether any were missed."""

MISSING_FOR: Final = timedelta(seconds=30)
"""How long an entry of the vault may be missing that an event needs: it may be folded anew."""

_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # Seconds.

TRY_AGAIN: Final = (
    MailUnavailableError, LogError, ProjectionUnavailableError, VaultUnavailableError, OSError,
)  # fmt: skip

Handle = Callable[[Counted, Person | None], Awaitable[None]]
"""Deals with one event; raises one of `TRY_AGAIN` where it must be given it again."""

Passed = Callable[[int, int, timedelta], Awaitable[bool]]
"""Waits until an offset of a partition is folded (`events.log.port.Fates.passed`)."""


class Follower:
    """Deals with the counted events of every partition."""

    def __init__(
        self,
        name: str,
        *,
        follows: Follows,
        passed: Passed,
        progress: Progress,
        handle: Handle,
        partitions: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            name: For logs.
            follows: Where counted events come from.
            passed: Tells when there is news.
            progress: How far it got.
            handle: What to do.
            partitions: How many there are.
            clock: The real one.
        """
        self._name, self._follows, self._passed, self._progress = name, follows, passed, progress
        self._handle, self._partitions, self._clock = handle, partitions, clock
        self._next: dict[int, int] = {}
        self._missing: dict[str, datetime] = {}

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as following:
            for partition in range(self._partitions):
                following.create_task(self._follow(partition))

    async def _follow(self, partition: int) -> None:
        kept = await self._persist(partition, lambda: self._progress.load(partition))
        since = self._clock() - FIRST_LOOK_BACK if kept is None else None
        self._next[partition] = kept or 0
        while True:
            heed_cancellation()
            before = self._next[partition]
            await self._persist(partition, lambda: self._deal(partition, since))
            if self._next[partition] == before:
                await self._persist(partition, partial(self._passed, partition, before, WAIT))

    async def _deal(self, partition: int, since: datetime | None) -> None:
        """Deal with what is there. Tried again, it goes on behind the last event dealt with."""
        events, up_to = await self._follows.counted_after(partition, self._next[partition] - 1)
        for counted, person in events:
            if since is None or counted.at >= since:
                await self._deal_with(counted, person)
            self._next[partition] = counted.position.offset + 1
            await self._progress.save(partition, self._next[partition])
        self._next[partition] = max(up_to + 1, self._next[partition])
        await self._progress.save(partition, self._next[partition])

    async def _deal_with(self, counted: Counted, person: Person | None) -> None:
        """One event that can't be dealt with is set aside: the others mustn't wait for it."""
        try:
            await self._handle(counted, person)
        except MissingEntryError as error:
            since = self._missing.setdefault(counted.id, self._clock())
            if self._clock() - since < MISSING_FOR:
                raise
            self._set_aside(counted, error)
        except TRY_AGAIN:
            raise
        except Exception as error:  # noqa: BLE001 -- Whatever it is; it is told of.
            self._set_aside(counted, error)
        self._missing.pop(counted.id, None)

    def _set_aside(self, counted: Counted, error: Exception) -> None:
        # Its words, and its traceback's, could hold what is personal.
        log.error(
            "follower.set_aside",
            follower=self._name, event_id=counted.id, why=type(error).__name__,
        )  # fmt: skip

    async def _persist(self, partition: int, step: Callable[[], Awaitable[T]]) -> T:
        """Try *step* until it works: nothing is skipped, nothing overtakes."""
        pause = _PAUSE
        while True:
            try:
                return await step()
            except TRY_AGAIN as error:
                log.warning(
                    "follower.waiting",
                    follower=self._name, partition=partition, why=type(error).__name__,
                    seconds=pause,
                )  # fmt: skip
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
