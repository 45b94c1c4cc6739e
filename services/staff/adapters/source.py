"""
One partition of the commands' topic, with aiokafka; offsets are committed by hand for a group.

A record that aiokafka can't read stops it for good (`clients.UNREADABLE`): it is read with
confluent-kafka, which hands over the value and the key, and the headers where they can be told.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from operator import methodcaller
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors
from confluent_kafka import KafkaException, Message
from confluent_kafka import TopicPartition as BulkPartition

from events.log.bulk import bounds
from events.log.cancelling import heed_cancellation
from events.log.clients import UNREADABLE, Connection, bulk_consumer, consumer, stop
from events.log.port import LogUnavailableError
from services.staff.ports import RawCommand

GROUP: Final = "twofold.staff"
_MOST_AT_ONCE: Final = 100
_POLL_MS: Final = 1_000
_AGAIN_AT_ONCE: Final = 20
_COMMIT_AGAIN_S: Final = 3600.0

_TOLD_HEADERS: Final = methodcaller("headers")
"""
For a name that is no UTF-8, confluent-kafka 2.16 hands over a half-made list with the error still
set. Python looks for that when it is called so; a call of its own that it has made often enough
(PEP 659) isn't looked after, and going through that list ends the process.
"""

log = structlog.get_logger()


class KafkaSource:
    """A `Source`."""

    def __init__(
        self, kafka: Connection | str, topic: str, partition: int, *, group: str = GROUP
    ) -> None:
        """
        Args:
            kafka: Where.
            topic: The commands'.
            partition: Which.
            group: Names the committed offsets.
        """
        self._kafka, self._group = kafka, group
        self._place = TopicPartition(topic, partition)
        self._reader: AIOKafkaConsumer | None = None
        self._committed: tuple[int | None, float] = (None, 0.0)

    async def read(self) -> AsyncGenerator[Sequence[RawCommand], None]:
        reader = consumer(self._kafka, group=self._group)
        try:
            await reader.start()
            reader.assign([self._place])
            start = await reader.committed(self._place)
            if start is None:
                await reader.seek_to_beginning(self._place)
            else:
                reader.seek(self._place, start)
            self._reader, self._committed = reader, (start, time.monotonic())
            while True:
                heed_cancellation()
                records = await self._next(reader)
                yield records
                if not records:
                    await self._keep_alive()
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            raise LogUnavailableError(f"Kafka is away: {type(error).__name__}.") from error
        finally:
            self._reader = None
            await stop(reader)

    async def commit(self, next_offset: int) -> None:
        if self._reader is None:
            raise LogUnavailableError("Nothing is being read.")
        try:
            await self._reader.commit({self._place: next_offset})
        except (kafka_errors.KafkaError, TimeoutError) as error:
            raise LogUnavailableError(f"No commit: {type(error).__name__}.") from error
        self._committed = next_offset, time.monotonic()

    async def _keep_alive(self) -> None:
        """Kafka forgets a group's idle offsets after a week."""
        offset, since = self._committed
        if offset is not None and time.monotonic() - since > _COMMIT_AGAIN_S:
            await self.commit(offset)

    async def _next(self, reader: AIOKafkaConsumer) -> Sequence[RawCommand]:
        try:
            found = await reader.getmany(
                self._place, timeout_ms=_POLL_MS, max_records=_MOST_AT_ONCE
            )
        except UNREADABLE:
            due = await reader.position(self._place)
            log.warning("commands.undecodable", partition=self._place.partition, offset=due)
            records = await asyncio.to_thread(self._read_otherwise, due)
            if records:
                reader.seek(self._place, records[-1].offset + 1)
            return records
        return [
            RawCommand(self._place.partition, one.offset, one.key, one.value, tuple(one.headers))
            for one in found.get(self._place, ())
        ]

    def _read_otherwise(self, due: int) -> list[RawCommand]:
        """Some records from *due* on, with confluent-kafka. Blocking."""
        topic, partition = self._place.topic, self._place.partition
        low, high = bounds(self._kafka, topic, partition)
        reader = bulk_consumer(self._kafka)
        try:
            reader.assign([BulkPartition(topic, partition, max(low, due))])
            wanted = min(_AGAIN_AT_ONCE, high - max(low, due))
            messages = reader.consume(wanted, timeout=5) if wanted > 0 else []
            return [_raw(message) for message in messages if message.error() is None]
        except KafkaException as error:
            raise LogUnavailableError(f"{topic}-{partition} can't be read.") from error
        finally:
            reader.close()


def _raw(message: Message) -> RawCommand:
    key: Any = message.key()
    return RawCommand(
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=key,
        value=message.value(),
        headers=_headers(message),
    )


def _headers(message: Message) -> Sequence[tuple[str, bytes | None]] | None:
    try:
        headers: Any = _TOLD_HEADERS(message)
        return [(str(name), value) for name, value in headers or ()]
    except (UnicodeDecodeError, SystemError):
        return None
