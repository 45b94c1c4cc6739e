"""
Following counted events for their side effects: each partition in order, each event until it is
dealt with, and never a rebuild's. What can't be done for one mailbox is postponed, and tried again
by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from events.facts import Counted
from events.log.cancelling import heed_cancellation
from events.person import Person
from events.vault.port import MissingEntryError
from services.notify.persisting import TRY_AGAIN, persist
from services.notify.ports import Audience, Kept, MailDeferredError, Postponed, Progress
from services.notify.postponed import FIRST_PAUSE, Waiting
from services.projections.port import Follows

log = structlog.get_logger()

FIRST_LOOK_BACK: Final = timedelta(hours=1)
"""How old an event may be that is dealt with where no progress was ever kept, or it was lost."""

WAIT: Final = timedelta(seconds=5)
"""How long to wait for news before looking whether any were missed."""

MISSING_FOR: Final = timedelta(seconds=30)
"""How long an entry of the vault may be missing that an event needs: it may be folded anew."""

_SHORTEST_WAIT: Final = timedelta(milliseconds=250)  # `passed` asks no more often than that.

FOLDED_WITHIN: Final = timedelta(seconds=1)
"""How long to wait for what was dealt with to be folded, before something postponed is tried."""

Handle = Callable[[Counted, Person | None], Awaitable[None]]
"""
Deals with one event, for the person it is about or for one of its audience. It raises one of
`TRY_AGAIN` where it must be given it again, and MailDeferredError where others needn't wait.
"""

Passed = Callable[[int, int, timedelta], Awaitable[bool]]
"""Waits until an offset of a partition is folded (`events.log.port.Fates.passed`)."""


@dataclass(frozen=True)
class Follower:
    """
    Deals with the counted events of every partition.

    Attributes:
        name: For logs.
        follows: Where counted events come from.
        passed: Tells when there is news.
        progress: How far it got.
        handle: What to do.
        partitions: How many there are.
        audience: For whom events about nobody are dealt with; None: they are without a person.
        accepted: How many mails the mail server has taken so far, of any partition.
        first_pause: Before something postponed is tried again; each further one is longer.
        clock: The real one.
    """

    name: str
    _: KW_ONLY
    follows: Follows
    passed: Passed
    progress: Progress
    handle: Handle
    partitions: int
    audience: Audience | None = None
    accepted: Callable[[], int] = lambda: 0
    first_pause: timedelta = FIRST_PAUSE
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as following:
            for partition in range(self.partitions):
                following.create_task(self._follow(partition))

    async def _follow(self, partition: int) -> None:
        kept = await persist(self.name, partition, lambda: self.progress.load(partition))
        since = self.clock() - FIRST_LOOK_BACK if kept is None else None
        await _Following(self, partition, kept or Kept(0), since).run()


class _Following:
    """
    One partition on its way.

    Args:
        follower: For what, and with what.
        partition: Which one.
        kept: Where it goes on.
        since: What is older isn't dealt with; None: everything is.
    """

    def __init__(
        self, follower: Follower, partition: int, kept: Kept, since: datetime | None
    ) -> None:
        self._with, self._partition, self._since = follower, partition, since
        self._next = kept.next_offset
        self._waiting = Waiting(
            follower.first_pause, kept.postponed, follower.clock(), follower.accepted()
        )
        self._told = (-1, "")  # The event that is being told to its audience, and who was last.
        self._missing: dict[Postponed, datetime] = {}  # Since when an entry is.

    async def run(self) -> None:
        while True:
            heed_cancellation()
            before = self._next
            await persist(self._with.name, self._partition, self._deal)
            if self._next == before:
                await persist(self._with.name, self._partition, self._news)

    async def _news(self) -> bool:
        """Wait for an event, or until something postponed is due."""
        due = self._waiting.next_due()
        within = WAIT
        if due is not None:
            within = min(max(due - self._with.clock(), _SHORTEST_WAIT), WAIT)
        return await self._with.passed(self._partition, self._next, within)

    async def _deal(self) -> None:
        """Deal with what is there. Tried again, it goes on behind the last event dealt with."""
        await self._try_postponed()
        events, up_to = await self._with.follows.counted_after(self._partition, self._next - 1)
        for counted, person in events:
            if self._since is None or counted.at >= self._since:
                await self._deal_with(counted, person)
            self._next = counted.position.offset + 1
            await self._save()
        self._next = max(up_to + 1, self._next)
        await self._save()

    async def _save(self) -> None:
        await self._with.progress.save(self._partition, Kept(self._next, self._waiting.all()))

    async def _deal_with(self, counted: Counted, person: Person | None) -> None:
        """One event, for each of its audience where it has one: behind the last who was told."""
        offset, audience = counted.position.offset, self._with.audience
        if person is not None or audience is None:
            await self._do(counted, person, Postponed(offset))
        else:
            at, told = self._told
            after = told if at == offset else ""
            while people := await audience.behind(counted, after):
                for one in people:
                    after = one.staff_id
                    await self._do(counted, one, Postponed(offset, after))
                    self._told = offset, after
        self._missing.pop(Postponed(offset), None)

    async def _try_postponed(self) -> None:
        """Try those again that are due, on no older a state than they were tried on before."""
        for part in self._waiting.due(self._with.clock()):
            if not await self._with.passed(self._partition, self._next - 1, FOLDED_WITHIN):
                return
            events, up_to = await self._with.follows.counted_after(
                self._partition, part.offset - 1, 1
            )
            if up_to < part.offset:  # Told to some of its audience, and not folded again yet.
                continue
            counted, person = events[0] if events else (None, None)
            if counted is None or counted.position.offset != part.offset:
                self._give_up(part, "gone")
                self._waiting.done(part)
            else:
                await self._do_again(counted, person, part)
            await self._save()

    async def _do_again(self, counted: Counted, person: Person | None, part: Postponed) -> None:
        if part.staff_id is not None and self._with.audience is not None:
            person = await self._with.audience.one(counted, part.staff_id)
        try:
            await self._do(counted, person, part)
        except MissingEntryError:
            self._waiting.postpone(part, self._with.clock(), self._with.accepted())
        else:
            self._missing.pop(part, None)

    async def _do(self, counted: Counted, person: Person | None, part: Postponed) -> None:
        """
        What can't be done is set aside or postponed: the others mustn't wait for it.

        A missing entry is waited for once an event, however many of its audience miss one; what is
        postponed waits by itself.
        """
        try:
            await self._with.handle(counted, person)
        except MailDeferredError as error:
            self._postpone(counted, part, error)
            return
        except MissingEntryError as error:
            now = self._with.clock()
            waits = part if part in self._waiting else Postponed(part.offset)
            if now - self._missing.setdefault(waits, now) < MISSING_FOR:
                raise
            self._set_aside(counted, part, error)
        except TRY_AGAIN:
            raise
        except Exception as error:  # noqa: BLE001 -- Whatever it is; it is told of.
            self._set_aside(counted, part, error)
        self._waiting.done(part)

    def _postpone(self, counted: Counted, part: Postponed, error: MailDeferredError) -> None:
        given_up = self._waiting.postpone(part, self._with.clock(), self._with.accepted())
        log.warning(
            "follower.postponed",
            follower=self._with.name, event_id=counted.id, staff_id=part.staff_id, why=str(error),
        )  # fmt: skip
        if given_up is not None:
            self._give_up(given_up, "too many")

    def _give_up(self, part: Postponed, why: str) -> None:
        log.error(
            "follower.given_up",
            follower=self._with.name, partition=self._partition, offset=part.offset,
            staff_id=part.staff_id, why=why,
        )  # fmt: skip

    def _set_aside(self, counted: Counted, part: Postponed, error: Exception) -> None:
        # Its words, and its traceback's, could hold what is personal.
        log.error(
            "follower.set_aside",
            follower=self._with.name, event_id=counted.id, staff_id=part.staff_id,
            why=type(error).__name__,
        )  # fmt: skip
