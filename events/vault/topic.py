"""The vault's topic: entries keyed by their ids, compacted to the last value of each."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Self

from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors

from events.log.appender import Entry
from events.log.asker import Asker
from events.log.bulk import bounds, bulk_messages
from events.log.cancelling import heed_cancellation
from events.log.clients import UNREADABLE, Connection, consumer, stop
from events.log.port import AppendUnknownError, LogUnavailableError
from events.log.sender import Sender
from events.streams import partition_for_key

_POLL_MS = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """
    A record of the vault's topic.

    Attributes:
        key: The entry's id, as it came.
        value: The sealed entry; None forgets it.
    """

    offset: int
    append_time_ms: int
    key: bytes | None
    value: bytes | None


class VaultTopic:
    """Writes and reads the vault's topic; what holds for it is last-value-per-key alone."""

    def __init__(self, kafka: Connection | str, topic: str, partitions: int) -> None:
        self.topic, self.partitions = topic, partitions
        self._kafka = kafka
        self._sender = Sender(kafka, topic, partitions)
        self._turns = [asyncio.Lock() for _ in range(partitions)]
        self._asker = Asker(kafka, topic)

    async def start(self) -> None:
        """
        Connect.

        Raises:
            LogUnavailableError: The broker is away, or doesn't have the topic.
        """
        await self._sender.start()

    async def close(self) -> None:
        """Let go of the broker."""
        await self._sender.close()
        await self._asker.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def partition_of(self, entry_id: str) -> int:
        """Where an entry lives: as Kafka's own default partitioner would have it."""
        return partition_for_key(entry_id.encode(), self.partitions)

    async def append(self, entry_id: str, value: bytes | None) -> tuple[int, int]:
        """
        Append a value for the entry, or, with None, what forgets it.

        Returns:
            Partition and offset.

        Raises:
            LogUnavailableError: Nothing was sent.
            AppendUnknownError: It was sent, and no acknowledgement came.
        """
        partition = self.partition_of(entry_id)
        entry = Entry(entry_id.encode(), value)
        async with self._turns[partition]:  # One batch in flight (aiokafka#528).
            return partition, await self._sender.send(partition, [entry])

    async def append_all(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """
        Append a value for each entry, in a batch a partition.

        Raises:
            LogUnavailableError: Some were not sent.
            AppendUnknownError: Some were sent, and no acknowledgement came.
        """
        batches: dict[int, list[Entry]] = {}
        for entry_id, value in entries:
            batch = batches.setdefault(self.partition_of(entry_id), [])
            batch.append(Entry(entry_id.encode(), value))
        for partition, batch in batches.items():
            async with self._turns[partition]:
                await self._sender.send(partition, batch)

    async def end(self, partition: int) -> int:
        """The offset that comes after the last record."""
        return await self._asker.end(partition)

    async def read(self, partition: int, start: int) -> AsyncIterator[Sequence[Kept]]:
        """
        Records from *start* on, in order, for ever; an empty batch once a second where none come.

        Raises:
            LogUnavailableError: The broker is away; go on from the offset that is due.
        """
        place = TopicPartition(self.topic, partition)
        reader = consumer(self._kafka)
        try:
            await reader.start()
            reader.assign([place])
            reader.seek(place, start)
            while True:
                heed_cancellation()
                try:
                    found = await reader.getmany(place, timeout_ms=_POLL_MS, max_records=1_000)
                    kept = [
                        Kept(record.offset, record.timestamp, record.key, record.value)
                        for record in found.get(place, [])
                    ]
                except UNREADABLE:
                    kept = await asyncio.to_thread(_read_otherwise, self._kafka, place, start)
                    reader.seek(place, kept[-1].offset + 1)
                yield kept
                if kept:
                    start = kept[-1].offset + 1
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            raise LogUnavailableError(f"Reading failed: {type(error).__name__}.") from error
        finally:
            await stop(reader)


def _read_otherwise(kafka: Connection | str, place: TopicPartition, start: int) -> list[Kept]:
    """The next records as confluent-kafka reads them."""
    _, end = bounds(kafka, place.topic, place.partition)
    for messages in bulk_messages(kafka, place.topic, place.partition, start, end):
        return [
            Kept(one.offset() or 0, one.timestamp()[1], one.key(), one.value()) for one in messages
        ]
    raise LogUnavailableError(f"Offset {start} of {place.topic} can't be read.")


__all__ = ["AppendUnknownError", "Kept", "LogUnavailableError", "VaultTopic"]
