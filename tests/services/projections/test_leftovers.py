"""Schemas that nobody reads any more: what is dropped, and what the doctor says of the rest."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import asyncpg
import pytest

from services.doctor.examine import left_over
from services.projections import schema
from services.projections.bookkeeping import LEASES
from services.projections.leftovers import prune

OTHER: Final = "twofold_0123456789ab"
PREVIOUS: Final = f"{OTHER}_until_20260101000000"
READ: Final = """
    INSERT INTO {}.partition_state (topic, partition, next_offset, clock, running, generation,
                                    partitions, oldest_key, last_digest, last_time_ms, read_at)
    VALUES ('t', 0, 1, now(), '', '', 1, 0, '', 0, now() - $1::interval)
"""
HOLD: Final = "INSERT INTO {} VALUES ('keeper', 'another version', now() + '1 hour')"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a database with this version's schema and another one's, which holds an entry."""
    connection = await asyncpg.connect(database)
    try:
        for place in (schema.name(), OTHER):
            await schema.ensure(connection, place)
        await connection.execute(
            f"INSERT INTO {OTHER}.vault_entry VALUES"  # noqa: S608 # Ours.
            " ('a', 'her', 'personal', now(), 'k1', 0, 'sealed', false)"
        )
        yield connection
        await connection.execute(f"DROP SCHEMA IF EXISTS {OTHER} CASCADE")
    finally:
        await connection.close()


class TestTheDoctor:
    async def test_complains_where_who_is_forgotten_can_still_be_read(
        self, connection: asyncpg.Connection, database: str
    ) -> None:
        """No tombstone reaches a schema that nobody folds, such as one of an earlier version."""
        [finding] = await left_over(database)
        assert not finding.well
        assert OTHER in finding.detail
        assert "twofold projections prune" in finding.detail
        await connection.execute(f"TRUNCATE {OTHER}.vault_entry")
        assert [one.well for one in await left_over(database)] == [True]

    async def test_says_nothing_of_one_that_another_version_folds(
        self, connection: asyncpg.Connection, database: str
    ) -> None:
        await connection.execute(HOLD.format(f"{OTHER}.lease"))
        assert [one.well for one in await left_over(database)] == [True]

    async def test_says_nothing_for_a_day_of_one_that_may_be_prepared_for_a_new_version(
        self, connection: asyncpg.Connection, database: str
    ) -> None:
        await connection.execute(READ.format(OTHER), timedelta(hours=23))
        assert [one.well for one in await left_over(database)] == [True]

    async def test_says_after_it_what_it_may_be(
        self, connection: asyncpg.Connection, database: str
    ) -> None:
        await connection.execute(READ.format(OTHER), timedelta(hours=25))
        [finding] = await left_over(database)
        assert not finding.well
        assert "unless it was prepared for a version that is to start" in finding.detail

    async def test_complains_at_once_of_what_a_rebuild_left_behind(
        self, connection: asyncpg.Connection, database: str
    ) -> None:
        """It was read until just now, and no version starts with it."""
        await connection.execute(READ.format(OTHER), timedelta(0))
        await connection.execute(f"ALTER SCHEMA {OTHER} RENAME TO {PREVIOUS}")
        try:
            [finding] = await left_over(database)
            assert PREVIOUS in finding.detail
            assert await prune(database) == ([PREVIOUS], [])
        finally:
            await connection.execute(f"DROP SCHEMA IF EXISTS {PREVIOUS} CASCADE")


class TestPruning:
    async def test_one_that_may_be_prepared_for_a_new_version_is_left_alone(
        self, connection: asyncpg.Connection, database: str
    ) -> None:
        """The version that still runs dropped it, and the new one found nothing folded."""
        await connection.execute(READ.format(OTHER), timedelta(hours=23))
        assert await prune(database) == ([], [OTHER])
        assert await prune(database, force=True) == ([OTHER], [])

    @pytest.mark.parametrize("table", LEASES)
    async def test_one_in_which_somebody_holds_a_lease_is_left_alone(
        self, connection: asyncpg.Connection, database: str, table: str
    ) -> None:
        await connection.execute(HOLD.format(f"{OTHER}.{table}"))
        assert await prune(database) == ([], [OTHER])
        assert await prune(database, force=True) == ([OTHER], [])

    async def test_one_of_an_older_version_has_fewer_tables(
        self, connection: asyncpg.Connection, database: str
    ) -> None:
        await connection.execute(f"DROP TABLE {OTHER}.notify_lease, {OTHER}.vault_entry")
        assert [one.well for one in await left_over(database)] == [True]
        assert await prune(database) == ([OTHER], [])
