"""Following counted events, and the vault's entries as they are folded."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final

import asyncpg

from events.facts import Counted
from events.person import Person
from events.vault.kafka import EntriesUnavailableError
from services.projections import rows
from services.projections.database import translated
from services.projections.fates import PgFates
from services.projections.port import ProjectionUnavailableError
from services.projections.topology import Topology


class PgFollows:
    """`Follows` from PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool, topology: Topology | None = None) -> None:
        self._pool, self._topology = pool, topology or Topology(pool)

    async def counted_after(
        self, partition: int, offset: int, limit: int = 500
    ) -> tuple[Sequence[tuple[Counted, Person | None]], int]:
        with translated():
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                topic = self._topology.events
                next_offset = await connection.fetchval(_NEXT, topic, partition)
                found = await connection.fetch(_COUNTED, topic, partition, offset, limit)
        if next_offset is None:
            raise ProjectionUnavailableError("Nothing is folded yet.")
        events = [
            (
                rows.counted(row),
                Person.model_validate_json(row["person"]) if row["person"] else None,
            )
            for row in found
        ]
        upto = found[-1]["offset"] if len(found) == limit else max(next_offset - 1, offset)
        return events, upto

    async def entries(self, entry_ids: Collection[str]) -> Mapping[str, bytes]:
        with translated():
            found = await self._pool.fetch(_ENTRIES, list(entry_ids))
        return {row["id"]: bytes(row["value"]) for row in found}


class PgEntries:
    """The vault's topic as folded: what `events.vault.kafka.KafkaVault` reads."""

    def __init__(self, follows: PgFollows, fates: PgFates) -> None:
        """
        Args:
            follows: Gives entries.
            fates: Of the vault's topic.
        """
        self._follows, self._fates = follows, fates

    async def entries(self, entry_ids: Collection[str]) -> Mapping[str, bytes]:
        try:
            return await self._follows.entries(entry_ids)
        except ProjectionUnavailableError as error:
            raise EntriesUnavailableError(str(error)) from error

    async def passed(self, partition: int, offset: int, within: timedelta) -> bool:
        return await self._fates.passed(partition, offset, within)


_NEXT: Final = "SELECT next_offset FROM partition_state WHERE topic = $1 AND partition = $2"

_COUNTED: Final = """
    SELECT r.value, r.digest, r.at, r.partition, r."offset", p.generation, a.state::text AS person
      FROM recent_record r
      JOIN partition_state p USING (topic, partition)
      LEFT JOIN staff_account a ON a.staff_id = r.staff_id
     WHERE r.topic = $1 AND r.partition = $2 AND r."offset" > $3 AND r.fate = 'counted'
     ORDER BY r."offset" LIMIT $4
"""

_ENTRIES: Final = "SELECT id, value FROM vault_entry WHERE id = ANY($1::text[])"
