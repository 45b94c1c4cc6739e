"""A client that only asks where a topic's partitions end."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors

from events.log.clients import Connection, consumer, stop
from events.log.port import LogUnavailableError


class Asker:
    """
    Connects at its first question, and keeps the connection.

    It is a client of its own: behind a fetch that waits for records, the answer would wait too.
    """

    def __init__(self, kafka: Connection | str, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._client: AIOKafkaConsumer | None = None
        self._connecting = asyncio.Lock()

    async def end(self, partition: int) -> int:
        """
        The offset that comes after the partition's last record.

        Raises:
            LogUnavailableError: The broker is away.
        """
        place = TopicPartition(self._topic, partition)
        try:
            async with self._connecting:
                if self._client is None:
                    self._client = await self._connected()
            ends = await self._client.end_offsets([place])
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            raise LogUnavailableError(f"Kafka is away: {type(error).__name__}.") from error
        return int(ends[place])

    async def close(self) -> None:
        """Let go of the broker."""
        if self._client is not None:
            await stop(self._client)
            self._client = None

    async def _connected(self) -> AIOKafkaConsumer:
        fresh = consumer(self._kafka)
        try:
            await fresh.start()
        except BaseException:
            await stop(fresh)
            raise
        return fresh
