"""Progress in Kafka: offsets, and what is postponed beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from services.notify.ports import MOST_POSTPONED, Kept, Postponed
from services.notify.progress import GroupProgress, read, write
from tests.services.projections.worlds import PARTITIONS, World

ADA = str(uuid4())


@asynccontextmanager
async def progress_of(world: World, group: str) -> AsyncIterator[GroupProgress]:
    progress = GroupProgress(world.kafka, group=group, topic=world.events)
    await progress.start(PARTITIONS)
    try:
        yield progress
    finally:
        await progress.stop()


async def test_another_process_finds_what_was_saved_last(world: World, group: str) -> None:
    kept = Kept(7, (Postponed(3), Postponed(5, ADA)))
    async with progress_of(world, group) as progress:
        assert await progress.load(0) is None
        await progress.save(0, kept)
        await progress.save(1, Kept(2, (Postponed(1),)))
        await progress.save(1, Kept(2))
    async with progress_of(world, group) as progress:
        assert await progress.load(0) == kept
        assert await progress.load(1) == Kept(2)


async def test_as_many_as_may_be_postponed_fit(world: World, group: str) -> None:
    """Kafka takes no more than `offset.metadata.max.bytes`."""
    last = 2**63 - 1
    kept = Kept(last, tuple(Postponed(last - n, str(uuid4())) for n in range(MOST_POSTPONED)))
    async with progress_of(world, group) as progress:
        await progress.save(0, kept)
        assert await progress.load(0) == kept


async def test_what_somebody_else_wrote_there_stops_nothing(world: World, group: str) -> None:
    async with progress_of(world, group) as progress:
        place = TopicPartition(world.events, 0)
        await progress._consumer.commit({place: (7, f"3 nonsense 4:{ADA} 5:x 8")})
        assert await progress.load(0) == Kept(7, (Postponed(3), Postponed(4, ADA)))


@pytest.mark.parametrize(
    ("metadata", "unreadable"), [("", 0), ("-1 ٣ 1:2 1: :", 5), ("9" * 20, 1), ("\x00é", 1)]
)
def test_no_other_words_are_read(metadata: str, unreadable: int) -> None:
    assert read(metadata, 2**63) == ((), unreadable)


def test_nothing_is_postponed_before_it_was_tried() -> None:
    """An event that is told to several may be postponed for some before it is dealt with."""
    kept = (Postponed(6), Postponed(6, ADA), Postponed(7, ADA))
    assert read(write((*kept, Postponed(7), Postponed(8), Postponed(8, ADA))), 7) == (kept, 3)


def test_what_is_too_much_is_left_out() -> None:
    postponed = tuple(Postponed(n) for n in range(MOST_POSTPONED + 2))
    assert read(write(postponed), MOST_POSTPONED + 2) == (postponed[:MOST_POSTPONED], 2)
