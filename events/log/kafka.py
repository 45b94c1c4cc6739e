"""The log on Kafka: one topic, appended to and followed partition by partition."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Self

from events.log.appender import Appender, Entry
from events.log.asker import Asker
from events.log.clients import Connection
from events.log.port import LogUnavailableError
from events.log.sender import Sender
from events.log.tail import tail
from events.records import Record


class KafkaLog:
    """
    An `EventLog` on one topic of a real broker.

    Use it as an async context manager, or `start` and `close` it.
    """

    def __init__(self, kafka: Connection | str, topic: str, partitions: int) -> None:
        """
        Args:
            kafka: Where; a bare address is a development broker's.
            topic: The history, or the strangers'.
            partitions: The count that the genesis froze (`events.log.broker.generation_of`); the
                topic's own is compared with it before every batch.
        """
        self._kafka, self._topic, self._partitions = kafka, topic, partitions
        self._sender = Sender(kafka, topic, partitions)
        self._appenders = [Appender(self._sending_to(partition)) for partition in range(partitions)]
        self._asker = Asker(kafka, topic)

    @property
    def partitions(self) -> int:
        return self._partitions

    @property
    def away(self) -> bool:
        """Whether the broker counts as away: appends are refused at once until it is back."""
        return self._sender.away

    async def start(self) -> None:
        """
        Connect.

        Raises:
            LogUnavailableError: The broker is away, or doesn't have the topic.
            WrongPartitionsError: The topic has another partition count than *partitions*.
        """
        await self._sender.start()

    async def close(self) -> None:
        """Let go of the broker; whoever still waits for an append hears of it."""
        for appender in self._appenders:
            await appender.close()
        await self._sender.close()
        await self._asker.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def append(self, partition: int, values: Sequence[bytes]) -> int:
        if self._sender.away:
            raise LogUnavailableError("Kafka is away.")
        return await self._appenders[partition].append(values)

    async def end(self, partition: int) -> int:
        return await self._asker.end(partition)

    def read(self, partition: int, start: int) -> AsyncIterator[Sequence[Record]]:
        return tail(self._kafka, self._topic, partition, start)

    def _sending_to(self, partition: int) -> Callable[[Sequence[Entry]], Awaitable[int]]:
        async def send(entries: Sequence[Entry]) -> int:
            return await self._sender.send(partition, entries)

        return send
