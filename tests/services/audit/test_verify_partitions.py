"""Verifying what one partition can't tell alone."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from events import marks, streams
from services.audit.history import AuditError, Dump, DumpedHistory, Entry, Span
from services.audit.verify import complaints, verify
from tests.events.records import GENERATION, KEYS, Partition, sealed, uuid


@dataclass
class Several:
    """A `History` of several partitions, of which the first *said* are said to be there."""

    partitions: list[Partition]
    said: int | None = None
    topic: str = "twofold.events"
    notes: Sequence[str] = ()

    @property
    def spans(self) -> Sequence[Span]:
        said = self.partitions[: self.said]
        return [Span(one.state.partition, 0, len(one.records)) for one in said]

    def read(
        self, partitions: Collection[int] | None = None
    ) -> Iterator[tuple[int, Sequence[Entry]]]:
        for one in self.partitions:
            if partitions is None or one.state.partition in partitions:
                yield one.state.partition, [(record, None) for record in one.records]


@pytest.fixture
def first() -> Partition:
    return Partition(partition=0, partitions=2)


@pytest.fixture
def second() -> Partition:
    return Partition(partition=1, partitions=2)


def test_each_is_told_of_in_order(first: Partition, second: Partition) -> None:
    found = verify(Several([second, first]), KEYS)
    assert [(one.partition, one.tree.size, one.wrong) for one in found] == [(0, 1, []), (1, 1, [])]


def test_partitions_of_two_generations(first: Partition, second: Partition) -> None:
    """One was made anew, and what it held is gone."""
    genesis = sealed(streams.log(0), marks.Genesis(generation=uuid(), partitions=2))
    first.records[0] = replace(first.records[0], value=genesis)
    wrong = " ".join(complaints(verify(Several([first, second]), KEYS)))
    assert "of 2 generations" in wrong


def test_fewer_than_the_genesis_says(second: Partition) -> None:
    (verified,) = verify(Several([second]), KEYS)
    assert verified.wrong == ["Partition 1 says that there are 2 partitions; there are 1."]


@pytest.mark.row(51)
def test_one_whose_checkpoints_were_taken_away(first: Partition, second: Partition) -> None:
    """By whoever rewrote it with the MAC key: it holds by itself, and so does all that is left."""
    history = Several([first, second])
    signed = [one.checkpoint("twofold/tests") for one in verify(history, KEYS)]
    second.put(b"behind what was signed", 1)
    assert not list(complaints(verify(history, KEYS, signed)))
    genesis = sealed(streams.log(1), marks.Genesis(generation=GENERATION, partitions=2))
    second.records[0] = replace(second.records[0], value=genesis)
    assert not list(complaints(verify(history, KEYS)))
    (wrong,) = complaints(verify(history, KEYS, signed[:1]))
    assert "no checkpoint of partition 1" in wrong


def test_a_dump_of_several_is_read_whole_or_one_at_a_time(
    first: Partition, second: Partition, tmp_path: Path
) -> None:
    """A tombstone is among them, and what nobody said the fate of."""
    for partition in (first, second):
        partition.put(None, 1)
    path = tmp_path / "history.jsonl"
    with Dump(path, Several([first, second])) as file:
        for one in (first, second):
            for record in one.records:
                file.add(one.state.partition, record, None)
    found = DumpedHistory(path)
    assert [(one.tree.size, one.wrong) for one in verify(found, KEYS)] == [(2, [])] * 2
    ((number, entries),) = found.read({1})
    assert (number, entries) == (1, [(record, None) for record in second.records])


def test_records_of_one_that_is_not_said_to_be_there(first: Partition, second: Partition) -> None:
    with pytest.raises(AuditError, match="of partition 1 come"):
        verify(Several([first, second], said=1), KEYS)
