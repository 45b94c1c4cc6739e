"""What a projection's table is: columns, a key, and how many rows of it are written at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

Row = tuple[Any, ...]
"""Values in the order of the table's columns."""


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table that is folded.

    Attributes:
        name: Without its schema.
        columns: PostgreSQL types by name, in order.
        key: The columns of its primary key.
        indexes: What else is indexed: ``(columns)`` with options, as CREATE INDEX takes them.
        grows: Rows are written once and never changed.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    grows: bool = False

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def definition(self) -> str:
        """The statements that create it."""
        columns = ", ".join(f'"{name}" {kind}' for name, kind in self.columns.items())
        filled = 100 if self.grows else _ROOM
        key = f"PRIMARY KEY ({_list(self.key)})"
        statements = [
            f"CREATE TABLE {self.name} ({columns}, {key}) WITH (fillfactor = {filled})",
            *(f"CREATE INDEX ON {self.name} {index}" for index in self.indexes),
        ]
        return "; ".join(statements)

    def key_of(self, row: Row) -> Row:
        """The row's primary key."""
        return tuple(row[index] for index in _key_indexes(self))

    def insertion(self, first: int) -> str:
        """
        A clause for a WITH: write the rows given as one array a column, if `moved` has a row.

        Args:
            first: Number of the first array's parameter.
        """
        names = list(self.columns)
        arrays = ", ".join(
            f"${first + index}::{kind.split(' ')[0]}[]"
            for index, kind in enumerate(self.columns.values())
        )
        others = [name for name in names if name not in self.key]
        change = ", ".join(f'"{name}" = excluded."{name}"' for name in others)
        conflict = "DO NOTHING" if self.grows or not others else f"DO UPDATE SET {change}"
        return (  # Every name here is a constant of ours.
            f"w_{self.name} AS (INSERT INTO {self.name} ({_list(names)})"  # noqa: S608
            f" SELECT r.* FROM unnest({arrays}) AS r({_list(names)}), moved"
            f" ON CONFLICT ({_list(self.key)}) {conflict})"
        )


@cache
def _key_indexes(table: Table) -> tuple[int, ...]:
    names = list(table.columns)
    return tuple(names.index(name) for name in table.key)


_ROOM: Final = 60
"""Percent of a page filled at first: rows that change stay on their page, and in their indexes."""


def _list(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in names)


TEXT: Final = "text NOT NULL"
MOMENT: Final = "timestamptz NOT NULL"
