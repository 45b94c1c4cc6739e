"""The vault's topic on a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from events.vault.topic import Kept, VaultTopic
from tests.events.log.spoilt import produce_spoilt
from tests.events.log.test_kafka import make_topic


@pytest.fixture
async def topic(kafka: str, unique: Callable[..., str]) -> AsyncIterator[VaultTopic]:
    name = await make_topic(kafka, unique("vault"))
    async with VaultTopic(kafka, name, 2) as topic:
        yield topic


async def read(topic: VaultTopic, partition: int, count: int) -> list[Kept]:
    kept: list[Kept] = []
    async with asyncio.timeout(20), aclosing(topic.read(partition, 0)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            kept += batch
            if len(kept) >= count:
                break
    return kept


async def test_values_and_tombstones_come_back_with_their_keys(topic: VaultTopic) -> None:
    partition, first = await topic.append("entry-1", b"sealed")
    _, second = await topic.append("entry-1", None)
    kept = await read(topic, partition, 2)
    assert [(one.offset, one.key, one.value) for one in kept] == [
        (first, b"entry-1", b"sealed"),
        (second, b"entry-1", None),
    ]
    assert await topic.end(partition) == 2


@pytest.mark.parametrize("bad", [0, 1, 2])
async def test_a_header_that_is_no_utf8_stops_nobody(
    kafka: str, topic: VaultTopic, bad: int
) -> None:
    await produce_spoilt(kafka, topic.topic, [b"a", b"b", b"c"], bad)
    await produce_spoilt(kafka, topic.topic, [b"d"], 1)
    kept = await read(topic, 0, 4)
    assert [one.value for one in kept] == [b"a", b"b", b"c", b"d"]
