"""The log while its broker is frozen, killed and started again."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from events import keys, topics
from events.log import broker
from events.log.kafka import KafkaLog
from events.log.port import AppendUnknownError, LogError, LogUnavailableError
from infra.local.stack import Server
from tests.events.log.suite import read, values
from tests.stack import TestStack

pytestmark = pytest.mark.faults

RING = keys.generate()


@pytest.fixture
def server(stack: TestStack) -> Server:
    if stack.kafka_server is None:
        pytest.skip("the given stack's servers are not ours to stop")
    return stack.kafka_server


@pytest.fixture
async def topic(kafka: str, unique: Callable[..., str]) -> str:
    topic = replace(topics.STRANGERS, name=unique("log"))
    for tries_left in (2, 1, 0):
        try:
            await broker.create(
                kafka, keys=RING.mac.keys, key_id=RING.mac.current, partitions=1, wanted=[topic]
            )
            break
        except LogUnavailableError:  # Frozen a moment ago, a broker may be long in making topics.
            if not tries_left:
                raise
    return topic.name


async def append_once_back(log: KafkaLog, value: bytes) -> int:
    async with asyncio.timeout(60):
        while True:
            try:
                return await log.append(0, [value])
            except LogError:
                await asyncio.sleep(0.05)


async def test_a_frozen_broker_is_unknown_in_time_and_then_refused_at_once(
    server: Server, kafka: str, topic: str
) -> None:
    async with KafkaLog(kafka, topic, 1) as log:
        await log.append(0, [b"before"])
        server.pause()
        try:
            began = time.monotonic()
            with pytest.raises(AppendUnknownError):
                await log.append(0, [b"unknown"])
            assert time.monotonic() - began < 6
            began = time.monotonic()
            with pytest.raises(LogUnavailableError):
                await log.append(0, [b"refused"])
            assert time.monotonic() - began < 0.1
        finally:
            server.resume()
        last = await append_once_back(log, b"after")
        stored = values(await read(log, 0, 0, last + 1))
    assert stored[0] == b"before"
    assert stored[-1] == b"after"
    assert b"refused" not in stored


async def test_what_was_acknowledged_survives_a_killed_broker(
    server: Server, kafka: str, topic: str
) -> None:
    acknowledged: dict[int, bytes] = {}

    async def write(log: KafkaLog) -> None:
        number = 0
        while True:
            number += 1
            value = b"%d" % number
            try:
                acknowledged[await log.append(0, [value])] = value
            except LogError:
                return

    async with KafkaLog(kafka, topic, 1) as log:
        reading = asyncio.create_task(read(log, 0, 0, 1_000_000))
        writing = asyncio.create_task(write(log))
        while len(acknowledged) < 50:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.kill)
        await writing
        with pytest.raises(LogUnavailableError):
            await reading
        await asyncio.to_thread(server.start)
        last = await append_once_back(log, b"after")
        stored = await read(log, 0, 0, last + 1)
    assert [record.offset for record in stored] == list(range(last + 1))
    assert {offset: stored[offset].value for offset in acknowledged} == acknowledged
