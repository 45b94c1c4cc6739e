"""
Following one partition with aiokafka, without ever trusting it to skip.

Offsets of the history are dense. Where they seem not to be, or where aiokafka can't read a record
and would stop there for good (`clients.UNREADABLE`), the records due are read with confluent-kafka.
Only a hole that both clients see is handed on, so that the acceptance rule halts at it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka import errors as kafka_errors

from events.log.bulk import bounds, bulk_read
from events.log.cancelling import heed_cancellation
from events.log.clients import UNREADABLE, Connection, consumer, stop
from events.log.port import LogUnavailableError
from events.records import Record

MOST_AT_ONCE: Final = 1_000
_LOG_APPEND_TIME: Final = 1
_POLL_MS: Final = 1_000
_SILENCE_SECONDS: Final = 2.5
"""The broker answers a fetch within 0.5 s, records or none; longer silence is a lost connection."""

log = structlog.get_logger(__name__)


async def tail(
    kafka: Connection | str, topic: str, partition: int, start: int
) -> AsyncIterator[Sequence[Record]]:
    """
    Records from offset *start* on, for ever.

    Raises:
        LogUnavailableError: The broker is away, or was away for a moment: whoever goes on reads
            its last record again first, to see that it is still the same log.
    """
    place = TopicPartition(topic, partition)
    reader = consumer(kafka)
    try:
        await _begin(reader, place, start)
        due, began = start, time.time()
        while True:
            heed_cancellation()
            records = await _next(reader, place, began)
            if records is None or (records and records[0].offset != due):
                records = await asyncio.to_thread(_read_again, kafka, place, due) or records
            if records is None:
                raise LogUnavailableError(f"Offset {due} of {topic}-{partition} can't be read.")
            if records:
                yield records
                due = records[-1].offset + 1
                # Seeking throws away what is fetched already: only where aiokafka is elsewhere.
                if await reader.position(place) != due:
                    reader.seek(place, due)
    finally:
        await stop(reader)


async def _begin(reader: AIOKafkaConsumer, place: TopicPartition, start: int) -> None:
    try:
        await reader.start()
    except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailableError(f"Kafka is away: {type(error).__name__}.") from error
    reader.assign([place])
    reader.seek(place, start)


async def _next(
    reader: AIOKafkaConsumer, place: TopicPartition, began: float
) -> list[Record] | None:
    """The next dense run of records, none after a while without; None: they can't be decoded."""
    try:
        found = await reader.getmany(place, timeout_ms=_POLL_MS, max_records=MOST_AT_ONCE)
    except UNREADABLE as error:
        reason = type(error).__name__
        log.warning("log.undecodable", reason=reason, topic=place.topic, partition=place.partition)
        return None
    except (kafka_errors.KafkaError, TimeoutError) as error:
        raise LogUnavailableError(f"Reading failed: {type(error).__name__}.") from error
    if place in found:
        return _dense(found[place])
    heard = (reader.last_poll_timestamp(place) or 0) / 1000
    if time.time() - max(heard, began) > _SILENCE_SECONDS:
        raise LogUnavailableError("Kafka has fallen silent.")
    return []


def _dense(found: Sequence[ConsumerRecord[Any, Any]]) -> list[Record]:
    """Records up to the first hole."""
    records: list[Record] = []
    for record in found:
        if records and record.offset != records[-1].offset + 1:
            break
        records.append(
            Record(
                offset=record.offset,
                append_time_ms=record.timestamp,
                value=record.value,
                broker_time=record.timestamp_type == _LOG_APPEND_TIME,
            )
        )
    return records


def _read_again(kafka: Connection | str, place: TopicPartition, due: int) -> list[Record]:
    """What confluent-kafka finds at *due*; nothing where it finds a hole as well."""
    low, high = bounds(kafka, place.topic, place.partition)
    if not low <= due < high:
        return []
    for records in bulk_read(kafka, place.topic, place.partition, due, high):
        return records[:MOST_AT_ONCE] if records[0].offset == due else []
    return []
