"""While something is away, the consumer waits: it skips nothing, and commits nothing too early."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from events.command_wire import CommandOutcome
from events.log.port import LogUnavailableError
from events.log.writer import NotDoneError, OutcomeUnknownError
from events.vault.port import VaultUnavailableError
from services.projections.port import ProjectionUnavailableError
from services.staff.consumer import Consumer
from services.staff.consumer import Handler as Handling
from services.staff.ports import Answered, DeadLetter, RawCommand
from services.staff.stops import Stops


class Source:
    """Two records, and then the end."""

    def __init__(self) -> None:
        self.committed: list[int] = []

    async def read(self) -> AsyncGenerator[Sequence[RawCommand], None]:
        for offset in (7, 8):
            yield [RawCommand(0, offset, None, b"", ())]

    async def commit(self, next_offset: int) -> None:
        self.committed.append(next_offset)


class Handler:
    """Fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.handled = list(failures), list[int]()

    async def handle(self, raw: RawCommand) -> Answered | DeadLetter:
        self.handled.append(raw.offset)
        if self.failures:
            raise self.failures.pop(0)
        outcome = CommandOutcome(command_id=str(raw.offset), outcome="accepted", position="p")
        return Answered("tests", outcome)


class Outlet:
    """Fails as often as it is told to; sees what is committed when an outcome goes out."""

    def __init__(self, source: Source, *failures: Exception) -> None:
        self.source, self.failures = source, list(failures)
        self.published: list[tuple[str, list[int]]] = []

    async def outcome(self, answered: Answered) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.published.append((answered.outcome.command_id, list(self.source.committed)))

    async def dead_letter(self, letter: DeadLetter) -> None:
        raise AssertionError(letter)


def consumer(
    handler: Handling, outlet: Outlet, *, source: Source | None = None, stops: Stops | None = None
) -> Consumer:
    """Give a consumer; with a source, of a partition that it may run on."""

    def only(_: int) -> Source:
        assert source is not None
        return source

    async def folded() -> None:
        pass

    return Consumer(
        partitions=1 if source else 0,
        source=only,
        outlet=outlet,
        handler=handler,
        lease=lambda _: asyncio.timeout(None),  # type: ignore[arg-type,return-value]
        folded=folded,
        stops=stops or Stops(),
    )


@pytest.mark.parametrize(
    "away",
    [
        LogUnavailableError("kafka"),
        ProjectionUnavailableError("postgresql"),
        VaultUnavailableError("vault"),
        NotDoneError("too late"),
        OutcomeUnknownError("who knows"),
    ],
)
async def test_the_same_record_is_tried_again(away: Exception) -> None:
    source, handler = Source(), Handler(away)
    outlet = Outlet(source)
    await consumer(handler, outlet).consume(0, source)
    assert handler.handled == [7, 7, 8]
    assert outlet.published == [("7", []), ("8", [8])]
    assert source.committed == [8, 9]


async def test_an_outcome_that_could_not_be_published_is_asked_for_again() -> None:
    source, handler = Source(), Handler()
    outlet = Outlet(source, LogUnavailableError("kafka"))
    await consumer(handler, outlet).consume(0, source)
    assert handler.handled == [7, 7, 8]
    assert outlet.published == [("7", []), ("8", [8])]
