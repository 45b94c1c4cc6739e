"""Folding some records of one partition into rows: pure, given the states at hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from events import envelope
from events.acceptance import Judged, PartitionState, judge
from events.envelope import Envelope, MalformedError
from events.moments import from_milliseconds
from events.records import QUARANTINED, Fate, HaltError, Record
from services.projections import tables
from services.projections.bookkeeping import QUARANTINE, RECENT_RECORD, STREAM_HEAD
from services.projections.states import States, staff_of
from services.projections.tables import Projection, Row, Table

LARGEST: Final = 1_000
"""Records in one transaction at most."""

LARGEST_BYTES: Final = 4 * 1024 * 1024
"""Likewise, of records; ordinary ones have a kilobyte. As objects they take 25 times as much."""


@dataclass(slots=True)
class Folded:
    """
    What came of a batch.

    Attributes:
        rows: By table and primary key.
        judged: The records that were judged, with their fates.
        halt: Why the record after them can't be read; what came before it is good.
    """

    rows: dict[Table, dict[Row, Row]] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    halt: HaltError | None = None

    def add(self, table: Table, row: Row) -> None:
        """Write *row*; of rows with the same key the first stays where the table only grows."""
        rows, key = self.rows.setdefault(table, {}), table.key_of(row)
        if not (table.grows and key in rows):
            rows[key] = row


def portions(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """*records* as they are folded: so many, and so many bytes, in one transaction at most."""
    first = size = 0
    for at, record in enumerate(records):
        length = len(record.value or b"")
        if at - first == LARGEST or (at > first and size + length > LARGEST_BYTES):
            yield records[first:at]
            first, size = at, 0
        size += length
    if first < len(records):
        yield records[first:]


def envelopes(records: Iterable[Record]) -> Iterator[Envelope]:
    """The envelopes among *records*, for preloading; nothing in them is believed yet."""
    for record in records:
        try:
            yield envelope.read(record.value or b"")
        except MalformedError:
            continue


def fold(
    topic: str,
    state: PartitionState,
    states: States,
    records: Sequence[Record],
    keys: Mapping[str, bytes],
    *,
    kept_since: datetime,
    projections: Sequence[Projection] = tables.ALL,
) -> Folded:
    """
    Judge and fold *records*.

    Args:
        topic: Theirs.
        state: Moved past them, or up to the one that can't be read.
        states: Moved likewise; holds everything that they need.
        records: In log order.
        keys: The writers' MAC keys.
        kept_since: Records from before it aren't kept as recent.
        projections: Which.
    """
    folded = Folded()
    for record in records:
        try:
            judged = judge(state, record, keys)
        except HaltError as error:
            folded.halt = error
            break
        folded.judged.append(judged)
        if judged.counted is not None:
            folded.add(STREAM_HEAD, (judged.counted.stream, judged.digest))
            step = states.step(judged.counted)
            for projection in projections:
                for row in projection.fold(step):
                    folded.add(projection.table, row)
        if state.clock >= kept_since:
            folded.add(RECENT_RECORD, _recent(topic, state, judged))
        if judged.fate in QUARANTINED:
            folded.add(QUARANTINE, _quarantined(topic, state, judged))
    return folded


def _recent(topic: str, state: PartitionState, judged: Judged) -> Row:
    counted, read = judged.counted, judged.envelope
    believed = read is not None and judged.fate not in QUARANTINED
    return (
        topic,
        state.partition,
        judged.record.offset,
        judged.digest,
        judged.fate.value,
        state.clock,
        read.id if read is not None and believed else None,
        staff_of(counted) if counted else None,
        judged.record.value if judged.fate is Fate.COUNTED else None,
    )


def _quarantined(topic: str, state: PartitionState, judged: Judged) -> Row:
    return (
        topic,
        state.partition,
        judged.record.offset,
        from_milliseconds(judged.record.append_time_ms),
        judged.fate.value,
        judged.complaint.replace("\0", "\\0"),
        judged.digest,
        judged.record.value,
    )
