"""
Progress as Kafka consumer-group offsets, without a group's members: partitions are taken by hand.

They live outside PostgreSQL, so that a database that is dropped and folded again sends nothing
twice.
"""

import time

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from events.log.clients import Connection, consumer, stop
from events.log.port import LogUnavailableError

_COMMIT_AGAIN = 3600.0
"""Seconds after which an unchanged offset is committed again: Kafka forgets idle ones in a week."""


class GroupProgress:
    """A `Progress`. One process at a time may use a group: whoever holds its lease."""

    def __init__(self, kafka: Connection | str, *, group: str, topic: str) -> None:
        """
        Args:
            kafka: Where.
            group: Names the offsets: ``twofold.notify``, ``twofold.status``.
            topic: Whose partitions.
        """
        self._consumer: AIOKafkaConsumer = consumer(kafka, group=group)
        self._topic = topic
        self._committed: dict[int, tuple[int, float]] = {}

    async def start(self, partitions: int) -> None:
        """
        Connect.

        Raises:
            LogUnavailableError: Kafka is away.
        """
        try:
            await self._consumer.start()
        except KafkaError as error:
            raise LogUnavailableError(f"Kafka can't be reached: {error}") from error
        self._consumer.assign([TopicPartition(self._topic, p) for p in range(partitions)])
        # Nothing is read with this client: paused, it fetches nothing.
        self._consumer.pause(*self._consumer.assignment())

    async def stop(self) -> None:
        await stop(self._consumer)

    async def load(self, partition: int) -> int | None:
        try:
            found = await self._consumer.committed(TopicPartition(self._topic, partition))
        except KafkaError as error:
            raise LogUnavailableError(f"The offsets can't be read: {error}") from error
        return int(found) if found is not None else None

    async def save(self, partition: int, next_offset: int) -> None:
        known, since = self._committed.get(partition, (-1, 0.0))
        if known == next_offset and time.monotonic() - since < _COMMIT_AGAIN:
            return
        try:
            await self._consumer.commit({TopicPartition(self._topic, partition): next_offset})
        except KafkaError as error:
            raise LogUnavailableError(f"The offset can't be committed: {error}") from error
        self._committed[partition] = next_offset, time.monotonic()
