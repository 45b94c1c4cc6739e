"""Whenever and in whatever batches a history is folded, the same rows come of it."""

import asyncpg
import pytest

from events.acceptance import PartitionState, judge
from services.projections import schema
from services.projections.schema import ensure
from tests.services.projections.everything import everything
from tests.services.projections.worlds import (
    World,
    folded_to_the_end,
    recorded,
    until,
)


@pytest.fixture
def world(own_world: World) -> World:
    """Each test has a log of its own."""
    return own_world


class TestRebuilding:
    async def test_a_dropped_schema_is_folded_back_identical(self, world: World) -> None:
        """Rebuilt equals incremental, for every projection."""
        async with world.folding():
            await everything(world)
            await world.log.append(0, [b"garbage"])
            await folded_to_the_end(world)
        incremental = await world.rows()
        empty = {name for name, rows in incremental.items() if not rows}

        await world.pool.execute(f"DROP SCHEMA {schema.name()} CASCADE")
        async with world.pool.acquire() as connection:
            assert await ensure(connection)  # type: ignore[arg-type]
        async with world.folding():
            await folded_to_the_end(world)

        assert empty == {"vault_entry"}
        assert await world.rows() == incremental

    async def test_a_database_made_anew_is_seen_while_running(self, world: World) -> None:
        """No restart is needed: whoever believes to be further than what is stored begins again."""
        async with world.folding():
            organisation = await world.organisation()
            staff, _, _ = await world.enrolled(organisation)
            await folded_to_the_end(world)
            before = await world.rows()

            await world.pool.execute(f"DROP SCHEMA {schema.name()} CASCADE")

            async def is_back() -> bool:
                try:
                    return await world.rows() == before
                except asyncpg.UndefinedTableError:
                    return False

            await until(is_back)
            loaded = await world.loads.by_staff(staff)
            assert loaded
            await world.login(loaded, 900)

    async def test_a_position_that_went_back_is_folded_again(self, world: World) -> None:
        """Commits don't wait for the disk: after a crash the database is a moment younger."""
        async with world.folding():
            organisation = await world.organisation()
            partition = world.partition(organisation)
            row = await world.pool.fetchrow(
                "SELECT * FROM partition_state WHERE topic = $1 AND partition = $2",
                world.events,
                partition,
            )
            assert row
            staff = await world.person(organisation)
            await folded_to_the_end(world)
            async with world.pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    "UPDATE partition_state SET next_offset = $3, last_digest = $4,"
                    " last_time_ms = $5, running = $6, clock = $7"
                    " WHERE topic = $1 AND partition = $2",
                    world.events,
                    partition,
                    *(
                        row[name]
                        for name in (
                            "next_offset",
                            "last_digest",
                            "last_time_ms",
                            "running",
                            "clock",
                        )
                    ),
                )
                for statement in (
                    "DELETE FROM stream_head WHERE stream LIKE '%' || $1",
                    "DELETE FROM staff_account WHERE staff_id = $1",
                    "DELETE FROM recent_record WHERE staff_id = $1",
                    "DELETE FROM account_history WHERE staff_id = $1",
                ):
                    await connection.execute(statement, staff)

            async def is_back() -> bool:
                return await world.loads.by_staff(staff) is not None

            await until(is_back)
            assert await world.person(organisation)

    async def test_batch_boundaries_change_nothing(self, world: World) -> None:
        """The running digest is what a fold over the whole partition gives."""
        async with world.folding():
            await everything(world)
            await folded_to_the_end(world)
        for partition in range(world.log.partitions):
            state = PartitionState(partition)
            for record in await recorded(world.log, partition):
                judge(state, record, world.ring.mac.keys)
            row = await world.pool.fetchrow(
                "SELECT running, clock FROM partition_state WHERE topic = $1 AND partition = $2",
                world.events,
                partition,
            )
            assert row
            assert (row["running"], row["clock"]) == (state.running, state.clock)
