"""Appending on condition: nobody is answered before the log has said what became of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest

from events import streams
from events.facts import Draft
from events.log import writer as writing
from events.log.memory import MemoryLog
from events.log.port import AppendUnknownError, LogUnavailableError, Seen
from events.log.proposal import Proposal, Signer
from events.log.writer import (
    Decided,
    NotDoneError,
    OutcomeUnknownError,
    SupersededError,
    Writer,
)
from events.organisation import OrganisationRegistered
from events.records import Fate, Record
from tests.events.records import KEY, KEY_ID, KEYS, START, genesis, uuid


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FaultyLog:
    """A log whose next appends go wrong in the ways that a network makes them; then it is well."""

    def __init__(self, log: MemoryLog, clock: Clock) -> None:
        self.log, self.clock = log, clock
        self.faults: list[str] = []
        self.appends = 0

    @property
    def partitions(self) -> int:
        return self.log.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> int:
        self.appends += 1
        match self.faults.pop(0) if self.faults else "none":
            case "refused":
                raise LogUnavailableError("Away.")
            case "lost":
                self.clock.move(11)
                raise AppendUnknownError("Lost on the way there.")
            case "lost, at once":
                raise AppendUnknownError("Lost on the way there.")
            case "unacknowledged":
                await self.log.append(partition, values)
                raise AppendUnknownError("The acknowledgement was lost.")
            case "twice":
                await self.log.append(partition, values)
                return await self.log.append(partition, values)
            case "late":
                self.clock.move(11)
                return await self.log.append(partition, values)
            case _:
                return await self.log.append(partition, values)

    async def end(self, partition: int) -> int:
        return await self.log.end(partition)

    def read(self, partition: int, start: int) -> AsyncIterator[Sequence[Record]]:
        return self.log.read(partition, start)


class Bench:
    """A writer on a log in memory, with an organisation to write about."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.memory = MemoryLog(KEYS, clock=self.clock)
        self.log = FaultyLog(self.memory, self.clock)
        self.writer = Writer(
            self.log, self.memory, Signer("twofold/tests", KEY_ID, KEY, 1), self.clock
        )
        self.stream = streams.organisation(uuid())

    def head(self) -> str | None:
        counted = [one for one in self.memory.judged[0] if one.counted]
        own = [one.digest for one in counted if one.counted and one.counted.stream == self.stream]
        return own[-1] if own else None

    def proposal(self, head: str | None = None, name: str = "Agency", parts: int = 1) -> Proposal:
        return Proposal(
            drafts=[Draft(self.stream, OrganisationRegistered(name=name))] * parts,
            basis=(),
            heads={self.stream: head},
            clock=self.clock(),
            event_id=uuid(),
            actor="system",
            correlation_id="request-1",
        )

    def fates(self) -> Counter[Fate]:
        return Counter(one.fate for one in self.memory.judged[0][1:])


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    await bench.memory.append(0, [genesis()])
    return bench


class TestWrite:
    async def test_gives_the_last_offset_once_it_counts(self, bench: Bench) -> None:
        written = await bench.writer.write(bench.proposal(parts=3))
        assert (written.partition, written.offset) == (0, 3)
        assert bench.fates() == {Fate.COUNTED: 3}
        assert bench.head() == written.digests[-1]

    async def test_a_head_that_moved_is_superseded(self, bench: Bench) -> None:
        await bench.writer.write(bench.proposal())
        with pytest.raises(SupersededError):
            await bench.writer.write(bench.proposal())

    async def test_nothing_sent_is_said_at_once(self, bench: Bench) -> None:
        bench.log.faults = ["refused"]
        with pytest.raises(LogUnavailableError):
            await bench.writer.write(bench.proposal())
        assert bench.log.appends == 1

    async def test_a_lost_acknowledgement_is_no_failure(self, bench: Bench) -> None:
        bench.log.faults = ["unacknowledged"]
        written = await bench.writer.write(bench.proposal(parts=2))
        assert written.offset == 2
        assert bench.log.appends == 1

    async def test_a_lost_acknowledgement_of_a_superseded_one(self, bench: Bench) -> None:
        await bench.writer.write(bench.proposal())
        bench.log.faults = ["unacknowledged"]
        with pytest.raises(SupersededError):
            await bench.writer.write(bench.proposal())

    async def test_a_record_that_stands_twice_counts_once(self, bench: Bench) -> None:
        """The acknowledgement is the second copy's; the verdict is by digest."""
        bench.log.faults = ["twice"]
        written = await bench.writer.write(bench.proposal())
        assert written.offset == 1
        assert bench.fates() == {Fate.COUNTED: 1, Fate.SUPERSEDED: 1}

    async def test_a_record_that_came_too_late_is_not_done(self, bench: Bench) -> None:
        bench.log.faults = ["late"]
        with pytest.raises(NotDoneError):
            await bench.writer.write(bench.proposal())
        assert bench.fates() == {Fate.EXPIRED: 1}

    async def test_a_lost_record_is_not_done_once_a_tick_is_past_its_deadline(
        self, bench: Bench
    ) -> None:
        bench.log.faults = ["lost"]
        with pytest.raises(NotDoneError):
            await bench.writer.write(bench.proposal())
        assert bench.fates() == {Fate.TICK: 1}

    async def test_not_done_is_final(self, bench: Bench) -> None:
        """The broker gets the record after all, once the answer is given."""
        bench.log.faults = ["lost"]
        sent: list[Sequence[bytes]] = []
        append = bench.log.append

        async def noting(partition: int, values: Sequence[bytes]) -> int:
            sent.append(values)
            return await append(partition, values)

        bench.log.append = noting  # type: ignore[method-assign] # To know the bytes on their way.
        with pytest.raises(NotDoneError):
            await bench.writer.write(bench.proposal())
        await bench.memory.append(0, sent[0])
        assert bench.fates() == {Fate.TICK: 1, Fate.EXPIRED: 1}

    async def test_a_tick_that_is_lost_too_is_sent_again(self, bench: Bench) -> None:
        bench.log.faults = ["lost", "lost", "refused"]
        with pytest.raises(NotDoneError):
            await bench.writer.write(bench.proposal())
        assert bench.log.appends == 4

    async def test_what_cannot_be_learnt_in_time_is_unknown(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "ANSWER_WITHIN", timedelta(milliseconds=50))
        bench.log.faults = ["lost, at once"]
        with pytest.raises(OutcomeUnknownError):
            await bench.writer.write(bench.proposal())

    async def test_a_projection_that_cannot_be_asked_is_asked_again(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look, asked = bench.memory.look, 0

        async def looking(partition: int, digest: str) -> Seen:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise LogUnavailableError("PostgreSQL is away.")
            return await look(partition, digest)

        monkeypatch.setattr(bench.memory, "look", looking)
        assert (await bench.writer.write(bench.proposal())).offset == 1

    async def test_a_forged_record_never_counts(self, bench: Bench) -> None:
        """A writer with a key that the readers don't have."""
        stranger = Signer("twofold/tests", KEY_ID, b"x" * 32, 1)
        writer = Writer(bench.log, bench.memory, stranger, bench.clock)
        with pytest.raises(NotDoneError, match="forged"):
            await writer.write(bench.proposal())


class TestSettle:
    async def test_nothing_to_record_appends_nothing(self, bench: Bench) -> None:
        async def decide() -> Decided[str]:
            return Decided("repeat")

        assert await bench.writer.settle(bench.stream, decide) == ("repeat", None)
        assert bench.log.appends == 0

    async def test_a_superseded_decision_is_decided_again(self, bench: Bench) -> None:
        stale: list[str | None] = [None]
        await bench.writer.write(bench.proposal())

        async def decide() -> Decided[int]:
            head = stale.pop() if stale else bench.head()
            return Decided(len(stale), bench.proposal(head, name="Renamed"))

        _, written = await bench.writer.settle(bench.stream, decide)
        assert written is not None
        assert bench.fates() == {Fate.COUNTED: 2, Fate.SUPERSEDED: 1}

    async def test_whoever_loses_every_race_is_told_so(self, bench: Bench) -> None:
        await bench.writer.write(bench.proposal())

        async def decide() -> Decided[None]:
            return Decided(None, bench.proposal(None))

        with pytest.raises(NotDoneError, match="faster each time"):
            await bench.writer.settle(bench.stream, decide)
        assert bench.log.appends == 1 + writing.ATTEMPTS

    async def test_within_a_process_contention_loses_no_races(self, bench: Bench) -> None:
        async def decide() -> Decided[None]:
            head = bench.head()
            await asyncio.sleep(0)
            return Decided(None, bench.proposal(head))

        await asyncio.gather(*[bench.writer.settle(bench.stream, decide) for _ in range(30)])
        assert bench.fates() == {Fate.COUNTED: 30}

    async def test_a_refusal_lets_the_next_one_in(self, bench: Bench) -> None:
        async def refuse() -> Decided[None]:
            raise PermissionError

        async def decide() -> Decided[str]:
            return Decided("done", bench.proposal())

        with pytest.raises(PermissionError):
            await bench.writer.settle(bench.stream, refuse)
        answer, _ = await bench.writer.settle(bench.stream, decide)
        assert answer == "done"


class TestTick:
    async def test_all_that_wait_on_a_partition_share_one(self, bench: Bench) -> None:
        offsets = await asyncio.gather(*[bench.writer.tick(0) for _ in range(10)])
        assert set(offsets) == {1}
        assert await bench.writer.tick(0) == 2

    async def test_one_that_gives_up_takes_it_from_nobody(self, bench: Bench) -> None:
        impatient = asyncio.create_task(bench.writer.tick(0))
        patient = asyncio.create_task(bench.writer.tick(0))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == 1
