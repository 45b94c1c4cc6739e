"""Records of the attacked system's topics, as whoever has access to Kafka reads them."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition


@dataclass(frozen=True, slots=True)
class Written:
    """A record that stands in a topic."""

    partition: int
    offset: int
    at: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def members(self) -> dict[str, Any]:
        """What its JSON holds; nothing where it is none."""
        try:
            found = json.loads(self.value or b"")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def read_all(bootstrap: str, topic: str) -> list[Written]:
    """Every record of a topic up to its present ends."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"attacks-{uuid.uuid4()}",
         "enable.auto.commit": False}
    )  # fmt: skip
    try:
        found: list[Written] = []
        for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
            place = TopicPartition(topic, partition, OFFSET_BEGINNING)
            low, high = consumer.get_watermark_offsets(place, 10)
            if low == high:
                continue
            place.offset = low
            consumer.assign([place])
            left = high - low
            while left > 0:
                messages = consumer.consume(min(left, 1000), 5)
                found += [_written(message) for message in messages]
                left -= len(messages)
                assert messages, f"{topic} can't be read to its end"
        return found
    finally:
        consumer.close()


def _written(message: Message) -> Written:
    assert message.error() is None, message.error()
    headers = tuple((str(one[0]), one[1]) for one in message.headers() or [])
    place = (message.partition() or 0, message.offset() or 0, message.timestamp()[1])
    return Written(*place, message.key() or b"", message.value(), headers)  # type: ignore[arg-type]
