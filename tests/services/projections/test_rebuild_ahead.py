"""Folding for a version that nobody runs yet: there is nothing beside which to catch up."""

from datetime import timedelta

from services.projections import schema
from services.projections.comparison import compare
from services.projections.rebuild import rebuild
from tests.services.projections.worlds import make_world


async def test_before_a_new_version_starts_all_of_the_log_is_folded(
    kafka: str, database: str
) -> None:
    async with make_world(kafka, database) as world:
        async with world.folding():
            await world.enrolled(await world.organisation())
        await world.pool.execute(f"DROP SCHEMA {schema.name()} CASCADE")
        done = await rebuild(
            world.database, world.sources, world.vault_topic, world.ring.mac.keys,
            patience=timedelta(seconds=30),
        )  # fmt: skip
        ends = [await world.log.end(partition) for partition in range(world.log.partitions)]
        assert done.records >= sum(ends)
        found = await compare(world.database, world.kafka, world.ring.mac.keys, topic=world.events)
        assert found.equal
        assert sum(found.positions.values()) == sum(ends)
