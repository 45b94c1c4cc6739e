"""What stands in the topics, read by a client that knows nothing of the acceptance rule."""

import json
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition

Records = dict[int, dict[int, dict[str, Any]]]


def history(kafka: str, topic: str = "twofold.events") -> Records:
    """Every record of *topic* that says what it is about, by partition and offset."""
    found: Records = {}
    for partition, offset, _, value in raw(kafka, topic):
        try:
            record = json.loads(value or b"null")
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and "subject" in record:
            found.setdefault(partition, {})[offset] = record
    return found


def raw(kafka: str, topic: str) -> list[tuple[int, int, bytes | None, bytes | None]]:
    """Every record of *topic*: partition, offset, key, value."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": f"reading-{uuid4()}", "enable.auto.commit": False,
         "auto.offset.reset": "earliest", "log_level": 0}
    )  # fmt: skip
    found: list[tuple[int, int, bytes | None, bytes | None]] = []
    try:
        for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
            place = TopicPartition(topic, partition)
            _, end = consumer.get_watermark_offsets(place, 10)
            consumer.assign([TopicPartition(topic, partition, 0)])
            while consumer.position([place])[0].offset < end and end > 0:
                messages = consumer.consume(1000, 2)
                if not messages:
                    break
                found += [
                    (partition, m.offset() or 0, _bytes(m.key()), _bytes(m.value()))
                    for m in messages
                ]
    finally:
        consumer.close()
    return found


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
