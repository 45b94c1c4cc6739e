"""What is kept for some days only, and then let go of by whoever folds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from events import streams
from events.log.proposal import Draft
from events.staff import LoginAttempted
from services.projections.bookkeeping import PRUNED_AT_ONCE
from services.projections.port import LoadedStranger
from services.projections.projector import Projector
from services.projections.running import Projections
from services.projections.writing import FenceError
from tests.services.projections.worlds import (
    PARTITIONS,
    SEALED,
    World,
    digest,
    running,
    until,
)

LONG_AGO: Final = "UPDATE stranger SET at = at - interval '15 days'"
REBUILT: Final = "UPDATE partition_state SET fold = gen_random_uuid()"
"""All that projectors see of it where nothing has come meanwhile."""


@pytest.fixture
def world(own_world: World) -> World:
    """Each test has a log of its own."""
    return own_world


@asynccontextmanager
async def folding(world: World) -> AsyncIterator[Projections]:
    """Fold, as `World.folding` does; begun once this is entered."""
    async with world.folding() as projections:

        async def has_begun() -> bool:
            count = await world.pool.fetchval("SELECT count(*) FROM partition_state")
            return bool(count == 3 * PARTITIONS)

        await until(has_begun)
        yield projections


async def loaded(world: World, name: str) -> LoadedStranger:
    found = await world.loads.by_username(name)
    assert isinstance(found, LoadedStranger)
    return found


async def tried(world: World, name: str) -> int:
    """Try a name that nobody holds, as a login does; how many failures in a row it has then."""
    fact = LoginAttempted(outcome="wrong_password", source=SEALED)
    heads = (await loaded(world, name)).heads
    await world.stranger_writer.write(
        world.proposal(Draft(streams.stranger(name), fact), heads=heads)
    )
    return (await loaded(world, name)).stranger.failed_logins.in_a_row


class TestStrangers:
    async def test_one_who_comes_again_after_long_is_told_what_everybody_is(
        self, world: World
    ) -> None:
        """
        The head went from the database alone, and stayed in the projector's memory: the next try
        was superseded for good, and its 503 told that nobody holds the name.
        """
        name, other = digest(), digest()
        async with folding(world) as projections:
            assert [await tried(world, name) for _ in range(2)] == [1, 2]
            await world.pool.execute(LONG_AGO)
            assert await tried(world, other) == 1
            await projections.prune()
            assert (await loaded(world, name)).heads == {streams.stranger(name): None}
            assert await tried(world, name) == 1
            assert await tried(world, other) == 2

    async def test_somebody_else_s_are_left_alone(self, world: World) -> None:
        """Whoever has lost the partition, and wakes up late, would take heads from its owner."""
        name = digest()
        partition = streams.partition_of(streams.stranger(name), world.strangers_log.partitions)
        assert partition is not None
        async with folding(world):
            await tried(world, name)
        late = Projector(world.pool, world.sources[1], partition, world.ring.mac.keys)

        async def has_begun() -> bool:
            return late.next_offset is not None

        async with running(late.run()):
            await until(has_begun)
            await world.pool.execute(LONG_AGO)
            await world.pool.execute(REBUILT)
            with pytest.raises(FenceError):
                await late.forget()
        assert (await loaded(world, name)).stranger.failed_logins.in_a_row == 1


async def test_a_quiet_partition_goes_on_from_what_was_rebuilt(own_world: World) -> None:
    """Its projector was fenced off each time, and whatever came behind it was never pruned."""
    world, name = own_world, digest()
    async with folding(world) as projections:
        await tried(world, name)
        await world.pool.execute(LONG_AGO)
        await world.pool.execute(REBUILT)
        await world.pool.execute(
            "INSERT INTO session_activity VALUES ('s', now() - interval '8 days')"
        )
        await projections.prune()
        assert await world.pool.fetchval("SELECT count(*) FROM session_activity") == 0

        async def is_forgotten() -> bool:
            await projections.prune()
            return not await world.pool.fetchval("SELECT count(*) FROM stranger")

        await until(is_forgotten)
        assert await tried(world, name) == 1


async def test_however_many_there_are_none_is_kept_for_longer(world: World) -> None:
    """A bounded number at a time, once in five minutes, was less than what a busy day writes."""
    await world.pool.execute(
        'INSERT INTO recent_record (topic, partition, "offset", digest, fate, at)'
        " SELECT 'old', 0, n, 'd', 'counted', now() - interval '8 days'"
        "   FROM generate_series(1, $1::int) n",
        2 * PRUNED_AT_ONCE + 1,
    )
    await world.pool.execute("INSERT INTO session_activity VALUES ('s', now() - interval '8 days')")
    await world.projections().prune()
    assert await world.pool.fetchval("SELECT count(*) FROM recent_record") == 0
    assert await world.pool.fetchval("SELECT count(*) FROM session_activity") == 0
