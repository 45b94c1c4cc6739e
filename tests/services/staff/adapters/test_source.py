"""One partition of the commands' topic on a real broker, whatever somebody wrote to it."""

import asyncio
from collections.abc import Callable

from services.staff.adapters.source import KafkaSource
from services.staff.ports import RawCommand
from tests.events.log.spoilt import produce_spoilt
from tests.events.log.test_kafka import make_topic

MANY = 60


async def read(kafka: str, topic: str, count: int) -> list[RawCommand]:
    found: list[RawCommand] = []
    batches = KafkaSource(kafka, topic, 0, group=topic).read()
    async with asyncio.timeout(60):
        async for commands in batches:
            found += commands
            if len(found) >= count:
                break
    await batches.aclose()
    return found


async def test_many_headers_that_are_no_utf8_end_nothing(
    kafka: str, unique: Callable[..., str]
) -> None:
    """Only once a call is hot does Python hand over what confluent-kafka has half made of them."""
    topic = await make_topic(kafka, unique("commands"))
    for _ in range(MANY):
        await produce_spoilt(kafka, topic, [b"good", b"spoilt"], 1)
    found = await read(kafka, topic, 2 * MANY)
    told = [(one.value, one.headers is not None) for one in found]
    assert told == [(b"good", True), (b"spoilt", False)] * MANY
