"""
The proof that the projections equal the history: folded again, and compared row by row.

The history is folded in this process, by the same folds, and not in the database that is under
suspicion; so an auditor needs no right to write there. The database is read in one snapshot, and
the history up to the positions that this snapshot says. Of the folded rows only digests are kept.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from events import topics
from events.log.clients import Connection
from services.projections import bookkeeping, schema, tables
from services.projections.database import SETTINGS, translated
from services.projections.port import ProjectionUnavailableError
from services.projections.refolding import (
    POSITION,
    Advance,
    Folded,
    Folding,
    digest_of,
    normal,
)
from services.projections.tables import Row, Table

SHOWN: Final = 20
"""Differences of one table that are told of at most."""

_RECENT: Final = timedelta(days=bookkeeping.KEPT_DAYS - 1)
_FROM_ELSEWHERE: Final = ("stranger", "vault_entry")
"""Tables that aren't folded from the history, but from topics that forget."""


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One row that isn't what the history says.

    Attributes:
        key: Its primary key, by column.
        what: ``altered``, ``missing`` or ``extra``, in the database.
        columns: Those that differ, where it was altered.
    """

    key: Mapping[str, Any]
    what: str
    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class Compared:
    """
    One table.

    Attributes:
        rows: How many the history gives.
        differing: How many rows differ.
        differences: The first of them.
        readable: Whether this database role may read it; it wasn't compared otherwise.
    """

    table: str
    rows: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    All tables.

    Attributes:
        schema: Where they are.
        positions: Next offset by partition, up to which both were folded.
        halted: Why the rule halts before that, by partition; nothing behind it was compared.
    """

    schema: str
    positions: Mapping[int, int]
    tables: list[Compared]
    halted: Mapping[int, str]

    @property
    def equal(self) -> bool:
        """Whether every table that could be read is as the history says."""
        return not self.halted and not any(one.differing for one in self.tables)

    @property
    def unread(self) -> list[str]:
        """Tables that this role may not read."""
        return [one.table for one in self.tables if not one.readable]


async def compare(
    database: str,
    kafka: Connection | str,
    keys: Mapping[str, bytes],
    *,
    topic: str = topics.EVENTS.name,
    begin: Callable[[int], None] = lambda _: None,
    advance: Advance = lambda _: None,
) -> Comparison:
    """
    Fold the history again, and compare.

    Args:
        database: PostgreSQL's address.
        kafka: Where the history is.
        keys: The writers' MAC keys.
        topic: The history.
        begin: Told how many records there are to read.
        advance: Told how many more were read.

    Raises:
        ProjectionUnavailableError: The database can't be asked, or the schema isn't there.
        LogUnavailableError: Kafka can't be read.
        HistoryCutError: The log is shorter than what was folded of it.
    """
    with translated():
        connection = await asyncpg.connect(
            database, timeout=5, server_settings=SETTINGS | {"enable_seqscan": "on"}
        )
    try:
        with translated():
            if not await connection.fetchval(
                "SELECT to_regnamespace($1) IS NOT NULL", schema.name()
            ):
                raise ProjectionUnavailableError(f"Schema {schema.name()} isn't there.")
            await connection.execute(f"SET search_path TO {schema.name()}")
            snapshot = connection.transaction(isolation="repeatable_read", readonly=True)
            await snapshot.start()
            found = await connection.fetch(
                "SELECT partition, next_offset FROM partition_state WHERE topic = $1", topic
            )
        positions = {row["partition"]: row["next_offset"] for row in found}
        begin(sum(positions.values()))
        folding = Folding(kafka, topic, keys, positions, datetime.now(UTC) - _RECENT)
        folded = await asyncio.to_thread(folding.run, advance)
        with translated():
            compared = [await _table(connection, table, folded, folding) for table in _tables()]
        if any(one.differing for one in compared):
            await _name_columns(connection, compared, folding)
    finally:
        await connection.close(timeout=5)
    return Comparison(schema.name(), positions, compared, folded.halted)


async def _table(
    connection: asyncpg.Connection, table: Table, folded: Folded, folding: Folding
) -> Compared:
    left = dict(folded.digests.get(table.name, {}))
    told = Compared(table.name, rows=len(left))
    told.readable = await connection.fetchval(
        "SELECT has_table_privilege(to_regclass($1), 'SELECT')", table.name
    )
    if not told.readable:
        return told
    async for row in _live(connection, table, folding):
        key = table.key_of(row)
        expected = left.pop(key, None)
        if expected is None:
            _differs(told, table, key, "extra")
        elif expected != digest_of(normal(table, row)):
            _differs(told, table, key, "altered")
    for key in left:
        _differs(told, table, key, "missing")
    return told


async def _live(
    connection: asyncpg.Connection, table: Table, folding: Folding, keys: Any = None
) -> Any:
    columns = ", ".join(f'"{name}"' for name in table.columns)
    condition, arguments = "true", list[Any]()
    if table.name == "stream_head":
        condition = "stream NOT LIKE 'stranger/%'"
    elif table.name == "recent_record":
        condition, arguments = "topic = $1 AND at >= $2", [folding.topic, folding.recent]
    elif "topic" in table.columns:
        condition, arguments = "topic = $1", [folding.topic]
    statement = f"SELECT {columns} FROM {table.name} WHERE {condition}"  # noqa: S608 # Ours.
    async for row in connection.cursor(statement, *arguments, prefetch=1_000):
        found = tuple(row)
        if keys is None or table.key_of(found) in keys:
            yield found


async def _name_columns(
    connection: asyncpg.Connection, compared: list[Compared], folding: Folding
) -> None:
    """Say which columns of altered rows differ: fold once more, keeping those rows."""
    by_name = {table.name: table for table in _tables()}
    keeping = {
        one.table: {tuple(each.key.values()) for each in one.differences if each.what == "altered"}
        for one in compared
    }
    folded = await asyncio.to_thread(folding.run, keeping=keeping)
    for one in compared:
        if not keeping[one.table]:
            continue
        table, changed = by_name[one.table], dict[Row, tuple[str, ...]]()
        with translated():
            async for row in _live(connection, table, folding, keeping[one.table]):
                key = table.key_of(row)
                pairs = zip(
                    table.columns, normal(table, row), folded.rows[one.table][key], strict=True
                )
                changed[key] = tuple(name for name, here, there in pairs if here != there)
        one.differences = [
            Difference(each.key, each.what, changed.get(tuple(each.key.values()), ()))
            for each in one.differences
        ]


def _differs(told: Compared, table: Table, key: Row, what: str) -> None:
    told.differing += 1
    if len(told.differences) < SHOWN:
        told.differences.append(Difference(dict(zip(table.key, key, strict=True)), what))


def _tables() -> Iterator[Table]:
    yield POSITION
    yield from bookkeeping.TABLES
    for projection in tables.ALL:
        if projection.table.name not in _FROM_ELSEWHERE:
            yield projection.table
