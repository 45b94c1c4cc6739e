"""One process at a time deals with a partition."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from services.projections.port import ProjectionUnavailableError
from services.staff.adapters.lease import advisory_leases
from services.staff.ports import LeaseLostError

BEAT = timedelta(milliseconds=50)


async def test_a_partition_has_one_holder_at_a_time(database: str) -> None:
    one, other = (advisory_leases(database, "one-holder", BEAT) for _ in range(2))
    entered: list[int] = []

    async def second() -> None:
        async with other(0):
            entered.append(2)

    async with one(0):
        async with other(1):
            entered.append(1)
        waiting = asyncio.create_task(second())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    await asyncio.wait_for(waiting, 10)
    assert entered == [1, 2]


async def test_whoever_loses_the_connection_stops(database: str) -> None:
    lease = advisory_leases(database, "stops", BEAT)

    async def hold() -> None:
        async with lease(0):
            await _end_holders(database)
            await asyncio.Event().wait()

    with pytest.raises(LeaseLostError):
        await asyncio.wait_for(hold(), 10)


async def test_a_database_that_is_away_is_said_to_be() -> None:
    lease = advisory_leases("postgresql://nobody@127.0.0.1:1/none", "away", BEAT)
    with pytest.raises(ProjectionUnavailableError):
        async with lease(0):
            pass


async def _end_holders(database: str) -> None:
    admin = await asyncpg.connect(database)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks"
        " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    await admin.close()
