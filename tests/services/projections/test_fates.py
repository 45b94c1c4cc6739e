"""What became of a record, as its writer asks; and what counted, as followers read it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from events import streams
from events.log.proposal import Draft
from events.records import Fate
from events.staff import (
    PasswordSet,
)
from services.projections import schema
from tests.services.projections.worlds import (
    World,
    digest,
    folded_to_the_end,
    registered,
    uuid,
)


@pytest.fixture
def world(own_world: World) -> World:
    """Each test has a log of its own."""
    return own_world


class TestFates:
    async def test_a_digest_that_stands_twice_counted_once(self, world: World) -> None:
        """A retried send may stand there twice; only "this digest counted" is a success."""
        async with world.folding():
            organisation = await world.organisation()
            batch = world.signer.batch(
                world.proposal(
                    Draft(streams.account(organisation, uuid()), registered()), heads={}
                ),
                datetime.now(UTC),
            )
            first = await world.log.append(batch.partition, batch.values)
            again = await world.log.append(batch.partition, batch.values)
            assert await world.fates.passed(batch.partition, again, timedelta(seconds=10))

            seen = await world.fates.look(batch.partition, batch.digests[0])

            assert (seen.fate, seen.offset) == (Fate.COUNTED, first)
            assert seen.next_offset > again

    async def test_what_never_came_has_no_fate(self, world: World) -> None:
        async with world.folding():
            await world.organisation()
            seen = await world.fates.look(0, digest())
            assert (seen.fate, seen.offset) == (None, None)
            assert not await world.fates.passed(0, 10_000, timedelta(milliseconds=50))

    async def test_an_announcement_is_no_more_than_a_hint(self, world: World) -> None:
        """Any role of the database announces; by one made-up position followers ran on and on."""
        async with world.folding():
            organisation = await world.organisation()
            partition = world.partition(organisation)
            assert partition is not None
            for payload in (f"{partition}:999999999", "x", "1:", "-1:5"):
                channel = schema.channel(world.topology.events)
                await world.pool.execute("SELECT pg_notify($1, $2)", channel, payload)
            assert not await world.fates.passed(partition, 10_000, timedelta(milliseconds=300))
            await world.organisation()

    async def test_who_asks_for_what_never_comes_is_not_remembered(self, world: World) -> None:
        async with world.folding():
            await world.organisation()
            for partition in (0, 2**30):
                await asyncio.gather(
                    *(
                        world.fates.passed(partition, 10**17, timedelta(milliseconds=1))
                        for _ in range(20)
                    )
                )
            assert not world.fates._waiters
            assert 2**30 not in world.fates._next

    async def test_many_that_look_at_once_each_get_their_own(self, world: World) -> None:
        async with world.folding():
            organisation = await world.organisation()
            batches = [
                world.signer.batch(
                    world.proposal(
                        Draft(streams.account(organisation, uuid()), registered()), heads={}
                    ),
                    datetime.now(UTC),
                )
                for _ in range(50)
            ]
            partition = batches[0].partition
            offsets = await asyncio.gather(
                *(world.log.append(partition, one.values) for one in batches)
            )
            await world.fates.passed(partition, max(offsets), timedelta(seconds=10))
            seen = await asyncio.gather(
                *(world.fates.look(partition, one.digests[0]) for one in batches)
            )
            assert [one.offset for one in seen] == list(offsets)


class TestFollowing:
    async def test_gives_counted_events_in_order_with_their_person(self, world: World) -> None:
        async with world.folding():
            organisation = await world.organisation()
            staff, _, _ = await world.enrolled(organisation)
            partition = world.partition(organisation)
            assert partition is not None
            await folded_to_the_end(world)

            found, upto = await world.follows.counted_after(partition, 0)
            page, upto_page = await world.follows.counted_after(partition, 0, limit=2)

            assert [one.stream.split("/")[1] for one, _ in found] == [
                "organisation", "account", "account", "account",
            ]  # fmt: skip
            assert [person and person.staff_id for _, person in found] == [None] + [staff] * 3
            assert isinstance(found[2][0].fact, PasswordSet)
            assert upto == await world.log.end(partition) - 1
            assert [one.id for one, _ in page] == [one.id for one, _ in found[:2]]
            assert upto_page == found[1][0].position.offset
            again = await world.loads.event(found[1][0].id)
            assert again == found[1][0]
            assert json.loads(found[1][0].fact.model_dump_json())["role"] == "staff"
