"""Commands that stand still, or were set aside, as whoever looks from outside sees them."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from confluent_kafka.cimpl import NewTopic

from events.log import clients
from services.doctor.commands import set_aside, standing

AT_ONCE = timedelta(milliseconds=300)


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[str]:
    """Give a topic of two partitions."""
    name = f"looked-at-{uuid4().hex[:8]}"
    admin = clients.admin(kafka)
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(10)
    yield name
    admin.delete_topics([name])[name].result(10)


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer."""
    made = clients.producer(kafka)
    await made.start()
    yield made
    await made.stop()


async def commit(kafka: str, topic: str, group: str, offset: int) -> None:
    reader = clients.consumer(kafka, group=group)
    await reader.start()
    try:
        place = TopicPartition(topic, 1)
        reader.assign([place])
        await reader.commit({place: offset})
    finally:
        await reader.stop()


class TestStanding:
    async def test_names_the_partition_and_the_offset_until_it_goes_on(
        self, kafka: str, topic: str, producer: AIOKafkaProducer
    ) -> None:
        group = f"staff-{uuid4().hex[:8]}"
        [empty] = await standing(kafka, group=group, topic=topic, settle=AT_ONCE)
        assert empty.well
        for _ in range(3):
            await producer.send_and_wait(topic, b"command", partition=1)
        [never] = await standing(kafka, group=group, topic=topic, settle=AT_ONCE)
        assert not never.well
        assert f"{topic}-1 stands still at offset 0, 3 to come" in never.detail
        await commit(kafka, topic, group, 2)
        [behind] = await standing(kafka, group=group, topic=topic, settle=AT_ONCE)
        assert f"{topic}-1 stands still at offset 2, 1 to come" in behind.detail
        await commit(kafka, topic, group, 3)
        [done] = await standing(kafka, group=group, topic=topic, settle=AT_ONCE)
        assert done.well
        assert done.detail.endswith("0, 3")


class TestSetAside:
    async def test_names_what_met_a_fault_and_nothing_else(
        self, kafka: str, topic: str, producer: AIOKafkaProducer
    ) -> None:
        escapes = {"reason": "internal-error", "topic": "\x1b]0;x\x07", "partition": 3, "offset": 1}
        forged = [escapes, escapes | {"topic": "commands", "offset": "\x1b[2J"}]
        others: list[bytes | None] = [b'{"reason": "unsigned"}', b"\xff", b"[]", None]
        others += [json.dumps(one).encode() for one in forged]
        for value in others:
            await producer.send_and_wait(topic, value, key=b"k", partition=0)
        [fine] = await set_aside(kafka, topic=topic)
        assert fine.well
        letter = {"reason": "internal-error", "topic": "commands", "partition": 3, "offset": 17}
        await producer.send_and_wait(topic, json.dumps(letter).encode(), partition=1)
        [told] = await set_aside(kafka, topic=topic)
        assert not told.well
        assert "1 command(s)" in told.detail
        assert "commands-3 at 17" in told.detail
        [old] = await set_aside(kafka, topic=topic, since=timedelta(seconds=-60))
        assert old.well
