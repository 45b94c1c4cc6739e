"""
Folding the history again in this process, into no database: rows' digests, and rows asked for.

An auditor needs no right to write, and nothing that is under suspicion is relied on.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from events.acceptance import PartitionState
from events.log.bulk import bounds, bulk_read
from events.log.clients import Connection
from services.projections.batch import envelopes, fold, portions
from services.projections.states import States, needs_of
from services.projections.tables import Row, Table
from services.projections.tables.table import MOMENT, TEXT

POSITION: Final = Table(
    "partition_state",
    {
        "topic": TEXT,
        "partition": "int NOT NULL",
        "next_offset": "bigint NOT NULL",
        "clock": MOMENT,
        "running": TEXT,
        "generation": TEXT,
        "partitions": "int NOT NULL",
        "oldest_key": "bigint NOT NULL",
        "last_digest": TEXT,
        "last_time_ms": "bigint NOT NULL",
    },
    key=("topic", "partition"),
)
"""What is compared of the positions; the table itself is made elsewhere."""

Advance = Callable[[int], None]
Keeping = Mapping[str, Collection[Row]]


class HistoryCutError(Exception):
    """The history ends before what was folded from it."""


@dataclass(slots=True)
class Folded:
    """Rows' digests by table and key; whole rows of those that are asked for."""

    digests: dict[str, dict[Row, bytes]] = field(default_factory=lambda: defaultdict(dict))
    rows: dict[str, dict[Row, Row]] = field(default_factory=lambda: defaultdict(dict))
    halted: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Folding:
    """How the history is folded; blocking, for a thread."""

    kafka: Connection | str
    topic: str
    keys: Mapping[str, bytes] = field(repr=False)
    positions: Mapping[int, int]
    recent: datetime

    def run(self, advance: Advance = lambda _: None, keeping: Keeping | None = None) -> Folded:
        folded = Folded()
        for partition, end in sorted(self.positions.items()):
            low, high = bounds(self.kafka, self.topic, partition)
            if low > 0 or high < end:
                raise HistoryCutError(
                    f"Partition {partition} of {self.topic} holds offsets {low} to {high}; up to"
                    f" {end} were folded from it: history was cut."
                )
            self._partition(partition, end, folded, advance, keeping)
        return folded

    def _partition(
        self,
        partition: int,
        end: int,
        folded: Folded,
        advance: Advance,
        keeping: Keeping | None,
    ) -> None:
        state, states = PartitionState(partition), States()
        state.heads = states.heads
        last = None
        for records in bulk_read(self.kafka, self.topic, partition, 0, end):
            for some in portions(records):
                states.begin(needs_of(envelopes(some)))
                batch = fold(self.topic, state, states, some, self.keys, kept_since=self.recent)
                for table, rows in batch.rows.items():
                    _take(folded, table, rows, keeping)
                last = batch.judged[-1] if batch.judged else last
                if batch.halt is not None:
                    folded.halted[partition] = str(batch.halt)
                    return
            advance(len(records))
        row = (
            self.topic, partition, state.next_offset, state.clock, state.running,
            state.generation, state.partitions, state.oldest_key, last.digest if last else "",
            last.record.append_time_ms if last else 0,
        )  # fmt: skip
        _take(folded, POSITION, {POSITION.key_of(row): row}, keeping)


def _take(folded: Folded, table: Table, rows: Mapping[Row, Row], keeping: Keeping | None) -> None:
    """Take rows over, as the database does: the first stays where the table only grows."""
    digests = folded.digests[table.name]
    for key, row in rows.items():
        if table.grows and key in digests:
            continue
        plain = normal(table, row)
        digests[key] = digest_of(plain)
        if keeping is not None and key in keeping.get(table.name, ()):
            folded.rows[table.name][key] = plain


def normal(table: Table, row: Row) -> Row:
    """A row as it is compared, wherever it comes from."""
    return tuple(
        _value(kind, value) for kind, value in zip(table.columns.values(), row, strict=True)
    )


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind.startswith("jsonb"):
        return json.dumps(json.loads(value), sort_keys=True)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return bytes(value).hex() if kind.startswith("bytea") else value


def digest_of(plain: Row) -> bytes:
    return blake2b(json.dumps(plain).encode(), digest_size=16).digest()
