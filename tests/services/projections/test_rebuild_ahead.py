"""Folding where there is nothing beside which to catch up, and where a part of it comes late."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import timedelta

from events.vault.topic import Kept, VaultTopic
from services.projections import schema
from services.projections.comparison import compare
from services.projections.rebuild import rebuild
from tests.services.projections.test_rebuild import put
from tests.services.projections.worlds import PARTITIONS, World, make_world


async def test_before_a_new_version_starts_all_of_the_log_is_folded(
    kafka: str, database: str
) -> None:
    async with make_world(kafka, database) as world:
        async with world.folding():
            await world.enrolled(await world.organisation())
        await world.pool.execute(f"DROP SCHEMA {schema.name()} CASCADE")
        done = await rebuild(
            world.database, world.sources, world.vault_topic, world.ring,
            patience=timedelta(seconds=30),
        )  # fmt: skip
        ends = [await world.log.end(partition) for partition in range(world.log.partitions)]
        assert done.records >= sum(ends)
        found = await compare(world.database, world.kafka, world.ring.mac.keys, topic=world.events)
        assert found.equal
        assert sum(found.positions.values()) == sum(ends)


class Late(VaultTopic):
    """The vault, of which nothing comes for a while."""

    def __init__(self, kafka: str, topic: str, partitions: int) -> None:
        super().__init__(kafka, topic, partitions)
        self.comes = asyncio.Event()

    async def read(self, partition: int, start: int) -> AsyncIterator[Sequence[Kept]]:
        await self.comes.wait()
        async with aclosing(super().read(partition, start)) as batches:  # type: ignore[type-var]
            async for records in batches:
                yield records


async def test_no_entry_of_the_vault_is_missing_for_a_moment(own_world: World) -> None:
    """Where nothing of a partition was read yet it counted as read: its people got a 503."""
    world = own_world
    async with world.folding():
        await world.enrolled(await world.organisation())
        entries = await asyncio.gather(*(put(world) for _ in range(20)))
        looks = 0
        async with Late(world.kafka, world.vault_topic.topic, PARTITIONS) as late:

            def look(folded: int, of: int) -> None:
                nonlocal looks
                looks += of - folded <= len(entries)
                if looks == 5:
                    late.comes.set()

            await rebuild(
                world.database, world.sources, late, world.ring,
                patience=timedelta(seconds=30), advance=look,
            )  # fmt: skip
        assert late.comes.is_set()
        assert len(await world.vault.find(entries)) == len(entries)
