"""
Following counted events for their side effects: each partition in order, each event until it is
dealt with, and never a rebuild's. What can't be done for one mailbox is postponed, and tried again
by itself.
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
from services.notify.ports import (
    Audience,
    Kept,
    MailDeferredError,
    MailUnavailableError,
    Postponed,
    Progress,
)
from services.notify.postponed import FIRST_PAUSE, Waiting
from services.projections.port import Follows, ProjectionUnavailableError

log = structlog.get_logger()

T = TypeVar("T")

FIRST_LOOK_BACK: Final = timedelta(hours=1)
"""How old an event may be that is dealt with where no progress was ever kept, or it was lost."""

WAIT: Final = timedelta(seconds=5)
"""How long to wait for news before looking whether any were missed."""

MISSING_FOR: Final = timedelta(seconds=30)
"""How long an entry of the vault may be missing that an event needs: it may be folded anew."""

_SHORTEST_WAIT: Final = timedelta(milliseconds=250)  # `passed` asks no more often than that.

FOLDED_WITHIN: Final = timedelta(seconds=1)
"""How long to wait for what was dealt with to be folded, before something postponed is tried."""

_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # Seconds.

TRY_AGAIN: Final = (
    MailUnavailableError, LogError, ProjectionUnavailableError, VaultUnavailableError, OSError,
)  # fmt: skip

Handle = Callable[[Counted, Person | None], Awaitable[None]]
"""
Deals with one event, for the person it is about or for one of its audience. It raises one of
`TRY_AGAIN` where it must be given it again, and MailDeferredError where others needn't wait.
"""

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
        audience: Audience | None = None,
        first_pause: timedelta = FIRST_PAUSE,
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
            audience: For whom events about nobody are dealt with; None: they are without a person.
            first_pause: Before something postponed is tried again; each further one is longer.
            clock: The real one.
        """
        self._name, self._follows, self._passed, self._progress = name, follows, passed, progress
        self._handle, self._partitions, self._clock = handle, partitions, clock
        self._audience, self._first_pause = audience, first_pause
        self._next: dict[int, int] = {}
        self._waiting: dict[int, Waiting] = {}
        self._told: dict[int, tuple[int, str]] = {}
        self._missing: dict[tuple[int, Postponed], datetime] = {}

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as following:
            for partition in range(self._partitions):
                following.create_task(self._follow(partition))

    async def _follow(self, partition: int) -> None:
        kept = await self._persist(partition, lambda: self._progress.load(partition))
        since = self._clock() - FIRST_LOOK_BACK if kept is None else None
        kept = kept or Kept(0)
        self._next[partition] = kept.next_offset
        self._waiting[partition] = Waiting(self._first_pause, kept.postponed, self._clock())
        while True:
            heed_cancellation()
            before = self._next[partition]
            await self._persist(partition, lambda: self._deal(partition, since))
            if self._next[partition] == before:
                within = self._patience(partition)
                await self._persist(partition, partial(self._passed, partition, before, within))

    def _patience(self, partition: int) -> timedelta:
        due = self._waiting[partition].next_due()
        return WAIT if due is None else min(max(due - self._clock(), _SHORTEST_WAIT), WAIT)

    async def _deal(self, partition: int, since: datetime | None) -> None:
        """Deal with what is there. Tried again, it goes on behind the last event dealt with."""
        await self._try_postponed(partition)
        events, up_to = await self._follows.counted_after(partition, self._next[partition] - 1)
        for counted, person in events:
            if since is None or counted.at >= since:
                await self._deal_with(counted, person)
            self._next[partition] = counted.position.offset + 1
            await self._save(partition)
        self._next[partition] = max(up_to + 1, self._next[partition])
        await self._save(partition)

    async def _save(self, partition: int) -> None:
        kept = Kept(self._next[partition], self._waiting[partition].all())
        await self._progress.save(partition, kept)

    async def _deal_with(self, counted: Counted, person: Person | None) -> None:
        """One event, for each of its audience where it has one: behind the last who was told."""
        partition, offset = counted.position.partition, counted.position.offset
        whole = Postponed(offset)
        if person is not None or self._audience is None:
            await self._do(counted, person, whole)
        else:
            at, told = self._told.get(partition, (offset, ""))
            after = told if at == offset else ""
            while people := await self._audience.behind(counted, after):
                for one in people:
                    after = one.staff_id
                    await self._do(counted, one, Postponed(offset, after), within=whole)
                    self._told[partition] = offset, after
        self._missing.pop((partition, whole), None)

    async def _try_postponed(self, partition: int) -> None:
        """Try those again that are due, on no older a state than they were tried on before."""
        waiting = self._waiting[partition]
        for part in waiting.due(self._clock()):
            if not await self._passed(partition, self._next[partition] - 1, FOLDED_WITHIN):
                return
            events, up_to = await self._follows.counted_after(partition, part.offset - 1, 1)
            if up_to < part.offset:
                return
            counted, person = events[0] if events else (None, None)
            if counted is None or counted.position.offset != part.offset:
                self._give_up(partition, part, "gone")
                waiting.done(part)
            else:
                await self._do_again(counted, person, part)
            await self._save(partition)

    async def _do_again(self, counted: Counted, person: Person | None, part: Postponed) -> None:
        partition = counted.position.partition
        if part.staff_id is not None and self._audience is not None:
            person = await self._audience.one(counted, part.staff_id)
        try:
            await self._do(counted, person, part)
        except MissingEntryError:
            self._waiting[partition].postpone(part, self._clock())
        else:
            self._missing.pop((partition, part), None)

    async def _do(
        self,
        counted: Counted,
        person: Person | None,
        part: Postponed,
        within: Postponed | None = None,
    ) -> None:
        """
        What can't be done is set aside or postponed: the others mustn't wait for it.

        A missing entry is waited for once *within* an event, however many of its audience miss one.
        """
        partition = counted.position.partition
        try:
            await self._handle(counted, person)
        except MailDeferredError as error:
            self._postpone(counted, part, error)
            return
        except MissingEntryError as error:
            since = self._missing.setdefault((partition, within or part), self._clock())
            if self._clock() - since < MISSING_FOR:
                raise
            self._set_aside(counted, part, error)
        except TRY_AGAIN:
            raise
        except Exception as error:  # noqa: BLE001 -- Whatever it is; it is told of.
            self._set_aside(counted, part, error)
        self._waiting[partition].done(part)

    def _postpone(self, counted: Counted, part: Postponed, error: MailDeferredError) -> None:
        given_up = self._waiting[counted.position.partition].postpone(part, self._clock())
        log.warning(
            "follower.postponed",
            follower=self._name, event_id=counted.id, staff_id=part.staff_id, why=str(error),
        )  # fmt: skip
        if given_up is not None:
            self._give_up(counted.position.partition, given_up, "too many")

    def _give_up(self, partition: int, part: Postponed, why: str) -> None:
        log.error(
            "follower.given_up",
            follower=self._name, partition=partition, offset=part.offset, staff_id=part.staff_id,
            why=why,
        )  # fmt: skip

    def _set_aside(self, counted: Counted, part: Postponed, error: Exception) -> None:
        # Its words, and its traceback's, could hold what is personal.
        log.error(
            "follower.set_aside",
            follower=self._name, event_id=counted.id, staff_id=part.staff_id,
            why=type(error).__name__,
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
