"""
Append on condition, and learn the verdict before anybody is answered.

An acknowledgement is no success: only "this digest counted" is. A lost acknowledgement is no
failure: the record may still count, until the partition's time has passed its deadline.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

from events import streams
from events.log.port import AppendUnknownError, EventLog, Fates, LogError, LogUnavailableError
from events.log.proposal import Batch, Draft, Proposal, Signer
from events.log.signing import RotatingSigner
from events.marks import Tick
from events.records import Fate

ANSWER_WITHIN: Final = timedelta(seconds=15)
"""How long a request may wait to learn its verdict: longer than a deadline, so it mostly can."""

TICK_WITHIN: Final = timedelta(seconds=5)
"""How long a tick is waited for: where folding stands still, its partition's time does, too."""

ATTEMPTS: Final = 8
"""How often a superseded decision is decided again."""

A = TypeVar("A")


class SupersededError(Exception):
    """A head that the decision relied on moved first; decide again."""


class NotDoneError(Exception):
    """The event doesn't count and never will."""


class OutcomeUnknownError(Exception):
    """Whether the event counts couldn't be learnt in time; the same request, sent again, asks."""


@dataclass(frozen=True, slots=True)
class Written:
    """
    Events that counted.

    Attributes:
        partition: Theirs.
        offset: Of the last of them: a reader that has folded it has folded them all.
        digests: Theirs, in order.
    """

    partition: int
    offset: int
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decided(Generic[A]):
    """
    What a decision came to.

    Attributes:
        answer: For the caller, once the proposal counts.
        proposal: What must count first; None where there is nothing to record.
    """

    answer: A
    proposal: Proposal | None = None


class Writer:
    """Writes decisions to one topic."""

    def __init__(
        self,
        log: EventLog,
        fates: Fates,
        signer: Signer | RotatingSigner,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            log: Where to append.
            fates: Where to learn what became of it.
            signer: Who writes.
            clock: The real clock; deadlines are never moved.
        """
        self._log, self._fates, self._signer, self._clock = log, fates, signer, clock
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ticks: dict[int, asyncio.Task[int]] = {}

    @asynccontextmanager
    async def queue(self, stream: str) -> AsyncIterator[None]:
        """Within this process, wait for one's turn at *stream*: contention costs no lost races."""
        lock = self._queues.get(stream)
        if lock is None:
            lock = self._queues[stream] = asyncio.Lock()
        async with lock:
            yield

    async def settle(
        self, stream: str, decide: Callable[[], Awaitable[Decided[A]]]
    ) -> tuple[A, Written | None]:
        """
        Load, decide, append, learn the verdict; once more where it was superseded.

        Args:
            stream: The one to queue for.
            decide: Loads and decides afresh at each call, under the same event id.

        Returns:
            The answer, with where its events stand.

        Raises:
            NotDoneError: It doesn't count, for good; or it lost every race.
            OutcomeUnknownError: It isn't known in time.
            LogUnavailableError: Nothing was sent.
        """
        async with self.queue(stream):
            for _ in range(ATTEMPTS):
                decided = await decide()
                if decided.proposal is None:
                    return decided.answer, None
                try:
                    return decided.answer, await self.write(decided.proposal)
                except SupersededError:
                    continue
        raise NotDoneError("Somebody else was faster each time.")

    async def write(self, proposal: Proposal) -> Written:
        """
        Append *proposal*, and wait until it counts.

        Raises:
            SupersededError: A head moved first; it never counts.
            NotDoneError: It expired, or never came to stand in the log; it never counts.
            OutcomeUnknownError: That couldn't be learnt within `ANSWER_WITHIN`.
            LogUnavailableError: Nothing was sent.
        """
        batch = self._signer.batch(proposal, self._clock())
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                return await self._append(batch)
        except TimeoutError as error:
            raise OutcomeUnknownError("The log didn't tell in time.") from error

    async def _append(self, batch: Batch) -> Written:
        try:
            offset = await self._log.append(batch.partition, batch.values)
        except AppendUnknownError:
            return await self._learn(batch)
        await self._fates.passed(batch.partition, offset, batch.deadline - self._clock())
        return await self._learn(batch)

    async def _learn(self, batch: Batch) -> Written:
        """Ask by digest until its fate is seen, or can't be any more."""
        while True:
            try:
                seen = await self._fates.look(batch.partition, batch.digests[0])
                if seen.fate is not None and seen.offset is not None:
                    return _verdict(batch, seen.fate, seen.offset)
                if seen.clock > batch.deadline:
                    raise NotDoneError("The event came too late.")
                await self._move_time_past(batch, seen.next_offset)
            except LogError:
                await asyncio.sleep(0.1)

    async def _move_time_past(self, batch: Batch, next_offset: int) -> None:
        """Wait for the next record; once the deadline is past, make sure that there is one."""
        left = batch.deadline - self._clock()
        if left > timedelta(0):
            await self._fates.passed(batch.partition, next_offset, left)
        else:
            await self.move_time(batch.partition)

    async def move_time(self, partition: int) -> None:
        """
        Append a tick, and wait `TICK_WITHIN` at most until it is folded.

        Raises:
            LogError: The log is away, or didn't answer.
        """
        await self._fates.passed(partition, await self.tick(partition), TICK_WITHIN)

    async def tick(self, partition: int) -> int:
        """
        Append a tick, or share the one that is on its way.

        Returns:
            Its offset.

        Raises:
            LogUnavailableError: The log is away.
            AppendUnknownError: No acknowledgement came.
        """
        under_way = self._ticks.get(partition)
        if under_way is None or under_way.done():
            under_way = asyncio.create_task(self._append_tick(partition))
            self._ticks[partition] = under_way
        return await asyncio.shield(under_way)

    async def _append_tick(self, partition: int) -> int:
        name, event_id = streams.log(partition), str(uuid4())
        proposal = Proposal(
            drafts=[Draft(name, Tick())],
            basis=(),
            heads={},
            clock=self._clock(),
            event_id=event_id,
            actor="system",
            correlation_id=event_id,
        )
        return await self._log.append(partition, self._signer.batch(proposal, self._clock()).values)


def _verdict(batch: Batch, fate: Fate, offset: int) -> Written:
    match fate:
        case Fate.COUNTED:
            return Written(batch.partition, offset + len(batch.values) - 1, batch.digests)
        case Fate.SUPERSEDED:
            raise SupersededError
        case Fate.EXPIRED:
            raise NotDoneError("The event came too late.")
        case _:
            raise NotDoneError(f"The record was refused as {fate}.")


__all__ = [
    "Decided",
    "LogUnavailableError",
    "NotDoneError",
    "OutcomeUnknownError",
    "SupersededError",
    "Writer",
    "Written",
]
