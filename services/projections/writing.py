"""Writing a batch: one statement, which is one transaction and its own fence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from uuid import UUID

import asyncpg

from events.acceptance import Judged, PartitionState
from events.moments import from_milliseconds
from services.projections import schema
from services.projections.tables import Row, Table


class FenceError(Exception):
    """Somebody else moved the partition on: this process doesn't own it any more."""


@dataclass(frozen=True, slots=True)
class Stored:
    """
    A partition's position, as stored.

    Attributes:
        next_offset: The next that is due; -1: any, of a topic that forgets its start.
        fold: Which folding from the start it belongs to.
        last_digest: Of the last record's value; empty before the first.
        last_time_ms: Its append time.
    """

    topic: str
    state: PartitionState
    next_offset: int
    fold: UUID
    last_digest: str = ""
    last_time_ms: int = 0

    def moved(self, last: Judged) -> "Stored":
        """The position behind *last*."""
        return replace(
            self,
            next_offset=last.record.offset + 1,
            last_digest=last.digest,
            last_time_ms=last.record.append_time_ms,
        )


async def load(
    connection: asyncpg.Connection, topic: str, partition: int, *, forgets: int = 0
) -> Stored:
    """
    The partition's position; one from which nothing has been read yet where there's none.

    Args:
        connection: On the schema.
        topic: Which.
        partition: Of it.
        forgets: The partition count of a topic that forgets its start; 0: a topic with a genesis.
    """
    row = None
    while row is None:  # Somebody else may be making the row just now.
        row = await connection.fetchrow(_LOAD, topic, partition, -1 if forgets else 0, forgets)
    next_offset = row["next_offset"]
    state = PartitionState(
        partition=partition,
        partitions=row["partitions"],
        generation=row["generation"],
        next_offset=None if next_offset < 0 else next_offset,
        clock=row["clock"],
        oldest_key=row["oldest_key"],
        running=row["running"],
        forgetful=bool(forgets),
    )
    return Stored(topic, state, next_offset, row["fold"], row["last_digest"], row["last_time_ms"])


async def write(
    connection: asyncpg.Connection,
    expected: Stored,
    moved: Stored,
    rows: Mapping[Table, Mapping[Row, Row]],
    deletions: Mapping[Table, list[str]] | None = None,
) -> None:
    """
    Write *rows* and the position, all or nothing, if the position still is as *expected*.

    Args:
        connection: On the schema, outside a transaction.
        expected: As stored.
        moved: As it is to be; its `state` has been moved there.
        rows: By table and key.
        deletions: Keys of rows that go, for tables whose key is one text.

    Raises:
        FenceError: The position has moved; nothing was written.
    """
    filled = tuple(table for table, of_it in rows.items() if of_it)
    emptied = tuple(table for table, keys in (deletions or {}).items() if keys)
    arrays: list[object] = []
    for table in filled:
        arrays.extend(list(column) for column in zip(*rows[table].values(), strict=True))
    arrays.extend((deletions or {})[table] for table in emptied)
    state = moved.state
    row = await connection.fetchrow(
        _statement(filled, emptied),
        moved.topic,
        state.partition,
        expected.next_offset,
        moved.next_offset,
        state.clock,
        state.running,
        state.generation,
        state.partitions,
        moved.last_digest,
        moved.last_time_ms,
        schema.channel(moved.topic),
        expected.fold,
        schema.name(),
        state.oldest_key,
        *arrays,
    )
    if row is None:
        raise FenceError(f"{moved.topic}-{state.partition} was moved by somebody else.")


@lru_cache(maxsize=512)
def _statement(filled: tuple[Table, ...], emptied: tuple[Table, ...]) -> str:
    clauses, parameter = [_MOVE], 15
    for table in filled:
        clauses.append(table.insertion(parameter))
        parameter += len(table.columns)
    for table in emptied:
        (key,) = table.key
        clauses.append(
            f"d_{table.name} AS (DELETE FROM {table.name} USING moved"  # noqa: S608 # Names of ours.
            f" WHERE {key} = ANY(${parameter}::text[]))"
        )
        parameter += 1
    return (
        f"WITH {', '.join(clauses)}"  # noqa: S608 # As above.
        # One that is being folded beside the one that is read announces nothing.
        " SELECT CASE WHEN current_schema() = $13"
        " THEN pg_notify($11, $2::int::text || ':' || ($4::bigint - 1)::text) END FROM moved"
    )


_MOVE = """
    moved AS (
        UPDATE partition_state
           SET next_offset = $4, clock = $5, running = $6, generation = $7, partitions = $8,
               oldest_key = $14, last_digest = $9, last_time_ms = $10, read_at = now()
         WHERE topic = $1 AND partition = $2::int AND next_offset = $3 AND fold = $12
        RETURNING 1
    )
"""

_LOAD = f"""
    WITH made AS (
        INSERT INTO partition_state
               (topic, partition, next_offset, clock, running, generation, partitions,
                oldest_key, last_digest, last_time_ms)
        VALUES ($1, $2, $3, '{from_milliseconds(0).isoformat()}', repeat('0', 64), '', $4, 0, '', 0)
        ON CONFLICT DO NOTHING
        RETURNING *
    )
    SELECT * FROM made
    UNION ALL
    SELECT * FROM partition_state WHERE topic = $1 AND partition = $2
"""  # noqa: S608 # A constant of ours.
