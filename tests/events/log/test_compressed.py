"""Batches that somebody compressed: topics store none, and readers read those that are there."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import TopicPartition
from confluent_kafka import KafkaError, Producer

from events import topics
from events.log import clients
from events.log.kafka import KafkaLog
from events.topics import Topic
from events.vault.topic import VaultTopic
from services.staff.adapters.source import KafkaSource
from tests.events.log.suite import read, values
from tests.events.log.test_kafka import make_topic
from tests.events.vault.test_topic import read as read_vault

CODECS = ("gzip", "lz4", "snappy", "zstd")
VALUES = [codec.encode() * 100 for codec in CODECS]
"""Long enough that compressing them pays: librdkafka sends what it doesn't shorten as it is."""
BOMB = bytes(8 * 1024 * 1024)


def produce(kafka: str, topic: str, codec: str, value: bytes) -> int | None:
    """A record of its own batch, as *codec* makes it; what the broker answers, None where well."""
    told: list[KafkaError | None] = []
    settings = {"compression.type": codec, "message.max.bytes": 100_000_000, "log_level": 0}
    producer = Producer({"bootstrap.servers": kafka, **settings})
    producer.produce(topic, value, b"key", 0, on_delivery=lambda error, _: told.append(error))
    assert producer.flush(30) == 0
    return told[0].code() if told[0] else None


@pytest.mark.parametrize("kept", topics.ALL, ids=lambda topic: topic.name)
class TestTheTopics:
    async def test_store_what_a_client_without_the_codecs_reads(
        self, kafka: str, unique: Callable[..., str], kept: Topic
    ) -> None:
        topic = await make_topic(kafka, unique("stored"), kept.settings)
        for codec, value in zip(CODECS, VALUES, strict=True):
            assert await asyncio.to_thread(produce, kafka, topic, codec, value) is None
        reader, found = clients.consumer(kafka), list[bytes]()
        place = TopicPartition(topic, 0)
        try:
            await reader.start()
            reader.assign([place])
            async with asyncio.timeout(20):
                while len(found) < len(CODECS):
                    batches = await reader.getmany(place, timeout_ms=1_000)
                    found += [record.value for record in batches.get(place, [])]
        finally:
            await clients.stop(reader)
        assert found == VALUES

    async def test_take_no_small_batch_that_is_large_unpacked(
        self, kafka: str, unique: Callable[..., str], kept: Topic
    ) -> None:
        topic = await make_topic(kafka, unique("bomb"), kept.settings)
        for codec in ("gzip", "zstd"):
            told = await asyncio.to_thread(produce, kafka, topic, codec, BOMB)
            assert told == KafkaError.MSG_SIZE_TOO_LARGE
        assert await asyncio.to_thread(produce, kafka, topic, "gzip", b"next") is None


class TestReadersOfWhatWasStoredOnce:
    """From before topics stored everything uncompressed; aiokafka alone stops there for good."""

    @pytest.fixture
    async def stored(self, kafka: str, unique: Callable[..., str]) -> str:
        topic = await make_topic(kafka, unique("compressed"))
        for codec, value in zip(("none", *CODECS, "none"), self.WANTED, strict=True):
            assert await asyncio.to_thread(produce, kafka, topic, codec, value) is None
        return topic

    WANTED = (b"first", *VALUES, b"last")

    async def test_the_history(self, kafka: str, stored: str) -> None:
        async with KafkaLog(kafka, stored, 2) as log:
            records = await read(log, 0, 0, len(self.WANTED))
        assert tuple(values(records)) == self.WANTED
        assert [record.offset for record in records] == list(range(len(self.WANTED)))

    async def test_the_vault(self, kafka: str, stored: str) -> None:
        async with VaultTopic(kafka, stored, 2) as topic:
            kept = await read_vault(topic, 0, len(self.WANTED))
        assert tuple(one.value for one in kept) == self.WANTED

    async def test_the_commands(self, kafka: str, stored: str) -> None:
        found = list[bytes | None]()
        batches = KafkaSource(kafka, stored, 0, group=stored).read()
        async with asyncio.timeout(20):
            async for commands in batches:
                found += [command.value for command in commands]
                if len(found) >= len(self.WANTED):
                    break
        await batches.aclose()
        assert tuple(found) == self.WANTED
