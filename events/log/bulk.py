"""Reading fast, with confluent-kafka: for rebuilds, audits, and what aiokafka can't read."""

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from events.log.clients import Connection, bulk_consumer
from events.log.port import LogUnavailableError
from events.records import Record

BATCH: Final = 5_000
"""Records in one list at most."""

SILENCE: Final = timedelta(seconds=15)
"""How long the broker may say nothing before it counts as away."""

PATIENCE: Final = timedelta(seconds=10)
"""How long a topic may be unknown that was made just now."""
_PASSING: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._TRANSPORT,  # noqa: SLF001 # librdkafka's own errors are named so.
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    }
)
"""Errors that pass: a topic made just now, or a leader that moved, takes a moment to be known."""


def bulk_read(
    kafka: Connection | str, topic: str, partition: int, start: int, end: int
) -> Iterator[list[Record]]:
    """
    Records from offset *start* up to and without *end*, in order, as the broker gives them.

    Blocking: for a thread or a process of its own. Whether offsets are dense is the acceptance
    rule's to judge.

    Raises:
        LogUnavailableError: The broker is away, or *start* is no offset of the partition.
    """
    for messages in bulk_messages(kafka, topic, partition, start, end):
        yield [_record(message) for message in messages]


def bulk_messages(
    kafka: Connection | str, topic: str, partition: int, start: int, end: int
) -> Iterator[list[confluent_kafka.Message]]:
    """As `bulk_read`, with their keys; their headers may be undecodable."""
    if start >= end:
        return
    consumer = bulk_consumer(kafka)
    try:
        consumer.assign([TopicPartition(topic, partition, start)])
        heard = time.monotonic()
        while start < end:
            # It returns once it has as many as it was asked for, so never ask for more than is due.
            found = consumer.consume(min(BATCH, end - start), timeout=0.5)
            if found:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE.total_seconds():
                raise LogUnavailableError(f"Nothing came of {topic}-{partition} at {start}.")
            messages, at_end = _messages(found, end)
            if messages:
                start = (messages[-1].offset() or 0) + 1
                yield messages
            if at_end:
                return
    except KafkaException as error:
        raise LogUnavailableError(f"{topic}-{partition} can't be read: {error}") from error
    finally:
        with contextlib.suppress(RuntimeError):
            consumer.close()


def bounds(
    kafka: Connection | str, topic: str, partition: int, patience: timedelta = PATIENCE
) -> tuple[int, int]:
    """
    The partition's first offset, and the one that comes after its last record. Blocking.

    Args:
        kafka: Where.
        topic: Its name.
        partition: Which.
        patience: How long what may pass is waited for.

    Raises:
        LogUnavailableError: The broker is away, or there is no such partition.
    """
    consumer = bulk_consumer(kafka)
    place, began = TopicPartition(topic, partition), time.monotonic()
    try:
        while True:
            try:
                low, high = consumer.get_watermark_offsets(place, timeout=5, cached=False)
            except KafkaException as error:
                passing = error.args[0].code() in _PASSING
                if not passing or time.monotonic() - began > patience.total_seconds():
                    raise
                time.sleep(0.05)
            else:
                return low, high
    except KafkaException as error:
        raise LogUnavailableError(f"{topic}-{partition} can't be asked: {error}") from error
    finally:
        consumer.close()


def _messages(
    found: list[confluent_kafka.Message], end: int
) -> tuple[list[confluent_kafka.Message], bool]:
    """What of *found* is a message before *end*, and whether there is nothing more to come."""
    messages: list[confluent_kafka.Message] = []
    for message in found:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                return messages, True
            if error.code() in _PASSING:
                continue
            raise KafkaException(error)
        if (message.offset() or 0) >= end:
            return messages, True
        messages.append(message)
    return messages, False


def _record(message: confluent_kafka.Message) -> Record:
    kind, append_time_ms = message.timestamp()
    return Record(
        offset=message.offset() or 0,
        append_time_ms=append_time_ms,
        value=message.value(),
        broker_time=kind == confluent_kafka.TIMESTAMP_LOG_APPEND_TIME,
    )
