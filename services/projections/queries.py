"""Answers for people and APIs."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

import asyncpg

from events.facts import Counted, Position
from events.organisation import Organisation
from events.person import Person
from services.projections import rows
from services.projections.database import one, translated
from services.projections.fates import PgFates
from services.projections.port import (
    CommandRow,
    LoginRow,
    NotYetError,
    Summary,
)
from services.projections.topology import Topology


class PgQueries:
    """`Queries` from PostgreSQL."""

    def __init__(
        self, pool: asyncpg.Pool, fates: PgFates, topology: Topology | None = None
    ) -> None:
        """
        Args:
            pool: On the projections' schema.
            fates: Of the history; tells when a position is passed.
            topology: Of the topics; None: those of `events.topics`.
        """
        self._pool, self._fates = pool, fates
        self._topology = topology or Topology(pool)

    async def wait_for(self, position: Position, within: timedelta = timedelta(seconds=2)) -> None:
        partition = position.partition
        if not 0 <= partition < 2**31:
            raise NotYetError("There is no such partition.")
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._fates.passed(partition, position.offset, within)
                with translated():
                    row = await self._pool.fetchrow(_POSITION, self._topology.events, partition)
        except TimeoutError:
            row = None
        if row is None or row["generation"] != position.generation:
            raise NotYetError("This position is of another log, or nothing is folded yet.")
        if row["next_offset"] <= position.offset:
            raise NotYetError("This position isn't folded yet.")

    async def organisation(self, organisation_id: str) -> tuple[Organisation | None, Position]:
        row = await self._row(_ORGANISATION, organisation_id)
        state = row["state"]
        return Organisation.model_validate_json(state) if state else None, rows.position(row)

    async def organisations(self, limit: int = 200) -> Sequence[Organisation]:
        with translated():
            found = await self._pool.fetch(_ORGANISATIONS, limit)
        return [Organisation.model_validate_json(row["state"]) for row in found]

    async def summary(self, organisation_id: str) -> tuple[Summary, Position]:
        row = await self._row(_SUMMARY, organisation_id)
        counts = (row["active"], row["with_two_factor"], row["without_two_factor"])
        return Summary(*(count or 0 for count in counts)), rows.position(row)

    async def people(
        self, organisation_id: str, *, enrolled: bool | None, after: str = "", limit: int = 200
    ) -> tuple[Sequence[Person], Position]:
        row = await self._row(_PEOPLE, organisation_id, enrolled, after, limit)
        return [Person.model_validate_json(one) for one in row["people"] or ()], rows.position(row)

    async def person(self, organisation_id: str, staff_id: str) -> tuple[Person | None, Position]:
        row = await self._row(_PERSON, organisation_id, staff_id)
        return Person.model_validate_json(row["state"]) if row["state"] else None, rows.position(
            row
        )

    async def history(
        self, organisation_id: str, staff_id: str, *, before: int | None = None, limit: int = 100
    ) -> tuple[Sequence[Counted], Position]:
        found, position = await self._rows(_HISTORY, organisation_id, staff_id, before, limit)
        return [rows.from_history(row) for row in found], position

    async def logins(
        self, organisation_id: str, staff_id: str, *, succeeded: bool, limit: int = 10
    ) -> tuple[Sequence[LoginRow], Position]:
        found, position = await self._rows(_LOGINS, organisation_id, staff_id, succeeded, limit)
        lines = [
            LoginRow(
                at=row["at"],
                purpose=row["purpose"],
                outcome=row["outcome"],
                source=row["source"],
                two_factor=row["two_factor"],
                position=Position(row["generation"], row["partition"], row["offset"]),
            )
            for row in found
        ]
        return lines, position

    async def decided(self, command_ids: Collection[str], publisher: str) -> Collection[str]:
        with translated():
            found = await self._pool.fetch(_DECIDED, list(command_ids), publisher)
        return [row["command_id"] for row in found]

    async def outcomes(self, command_id: str, publisher: str | None) -> Sequence[CommandRow]:
        with translated():
            found = await self._pool.fetch(_OUTCOMES, command_id, publisher)
        return [rows.command(row) for row in found]

    async def halted(self) -> Collection[int]:
        with translated():
            found = await self._pool.fetch(_HALTED, self._topology.events)
        return [row["partition"] for row in found]

    async def _row(self, statement: str, organisation_id: str, *others: object) -> asyncpg.Record:
        """One row about an organisation, with the position it was read at."""
        partition = await self._topology.event_partition(organisation_id)
        return await one(
            self._pool, statement, self._topology.events, partition, organisation_id, *others
        )

    async def _rows(
        self, statement: str, organisation_id: str, *others: object
    ) -> tuple[list[asyncpg.Record], Position]:
        """Rows about an organisation, with the position they were read at: one snapshot."""
        partition = await self._topology.event_partition(organisation_id)
        with translated():
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                place = await connection.fetchrow(_POSITION, self._topology.events, partition)
                found = await connection.fetch(statement, organisation_id, *others)
        return found, rows.position(place)


_POSITION: Final = """
    SELECT generation, partition, next_offset FROM partition_state
     WHERE topic = $1 AND partition = $2
"""

_READ_AT: Final = "p.generation, p.partition, p.next_offset"
_AT: Final = "FROM partition_state p"
_HERE: Final = "WHERE p.topic = $1 AND p.partition = $2"

_ORGANISATION: Final = f"""
    SELECT o.state::text, {_READ_AT} {_AT}
      LEFT JOIN organisation_policy o ON o.organisation_id = $3 {_HERE}
"""  # Constants of ours.

_ORGANISATIONS: Final = """
    SELECT state::text FROM organisation_policy ORDER BY name, organisation_id LIMIT $1
"""

_SUMMARY: Final = f"""
    SELECT s.active, s.with_two_factor, s.without_two_factor, {_READ_AT} {_AT}
      LEFT JOIN organisation_summary s ON s.organisation_id = $3 {_HERE}
"""  # As above.

_PEOPLE: Final = f"""
    SELECT {_READ_AT}, ARRAY(
        SELECT a.state::text FROM staff_account a
         WHERE a.organisation_id = $3 AND NOT a.forgotten AND a.staff_id > $5
           AND ($4::bool IS NULL OR a.enrolled = $4)
         ORDER BY a.staff_id LIMIT $6
    ) AS people {_AT} {_HERE}
"""  # noqa: S608 # As above.

_PERSON: Final = f"""
    SELECT a.state::text, {_READ_AT} {_AT}
      LEFT JOIN staff_account a ON a.organisation_id = $3 AND a.staff_id = $4 {_HERE}
"""  # As above.

_HISTORY: Final = """
    SELECT * FROM account_history WHERE organisation_id = $1 AND staff_id = $2
       AND ($3::bigint IS NULL OR "offset" < $3) ORDER BY "offset" DESC LIMIT $4
"""

_LOGINS: Final = """
    SELECT * FROM login_history WHERE organisation_id = $1 AND staff_id = $2 AND logged_in = $3
     ORDER BY "offset" DESC LIMIT $4
"""

_HALTED: Final = "SELECT partition FROM halt WHERE topic = $1"

_DECIDED: Final = """
    SELECT command_id FROM command_outcome WHERE command_id = ANY($1::text[]) AND publisher = $2
"""

_OUTCOMES: Final = """
    SELECT * FROM command_outcome
     WHERE command_id = $1 AND publisher = coalesce($2, publisher)
     ORDER BY "at" LIMIT 100
"""
