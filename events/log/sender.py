"""
The producer of one topic, replaced after every failure.

While the broker is known to be away nothing is sent, so that nobody waits for what can't come: a
request is refused at once, and a probe in the background finds out when the broker is back.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors

from events.log.appender import HEADERS, Entry
from events.log.clients import REQUEST_TIMEOUT_MS, Connection, producer
from events.log.port import AppendUnknownError, LogUnavailableError

_PROBE_EVERY_SECONDS: Final = 0.5
_GIVE_UP_SECONDS: Final = 2 * REQUEST_TIMEOUT_MS / 1000
"""aiokafka keeps its own time; this is the net below it."""

_REFUSED: Final = (
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.InvalidMessageError,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
)
"""Answers by which the broker says that it took nothing, however often it was asked."""

log = structlog.get_logger(__name__)


class WrongPartitionsError(LogUnavailableError):
    """The topic has another partition count than its genesis froze: nothing may be written."""


class Sender:
    """Sends batches to the partitions of one topic."""

    def __init__(self, kafka: Connection | str, topic: str, partitions: int) -> None:
        """
        Args:
            kafka: Where.
            topic: Which.
            partitions: The count that its genesis froze.
        """
        self._kafka, self._topic, self._partitions = kafka, topic, partitions
        self._producer: AIOKafkaProducer | None = None
        self._probe: asyncio.Task[None] | None = None
        self._retired: set[asyncio.Task[None]] = set()

    @property
    def away(self) -> bool:
        """Whether the broker counts as away."""
        return self._producer is None

    async def start(self) -> None:
        """
        Connect.

        Raises:
            LogUnavailableError: The broker is away, or doesn't have the topic.
            WrongPartitionsError: The topic has another partition count.
        """
        self._producer = await self._connected()

    async def send(self, partition: int, entries: Sequence[Entry]) -> int:
        """
        Put *entries* into *partition* as one batch.

        Returns:
            Offset of the first.

        Raises:
            LogUnavailableError: Nothing was sent.
            AppendUnknownError: It was sent, and no acknowledgement came.
        """
        producer = self._producer
        if producer is None:
            raise LogUnavailableError("Kafka is away.")
        batch = producer.create_batch()
        for entry in entries:
            if not batch.append(timestamp=None, key=entry.key, value=entry.value, headers=HEADERS):
                raise LogUnavailableError("The batch is too long.")
        batch.close()
        try:
            await self._check_partitions(producer)
            acknowledgement = await producer.send_batch(batch, self._topic, partition=partition)
        except (kafka_errors.KafkaError, TimeoutError, AssertionError) as error:
            self._replace(producer, error)
            raise LogUnavailableError(f"Kafka is away: {type(error).__name__}.") from error
        acknowledgement.add_done_callback(_heard)
        try:
            # Shielded: aiokafka must not find its future cancelled, and later sends stay in order.
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                answer = await asyncio.shield(acknowledgement)
        except _REFUSED as error:
            raise LogUnavailableError(f"Kafka refused: {type(error).__name__}.") from error
        except (kafka_errors.KafkaError, TimeoutError) as error:
            self._replace(producer, error)
            raise AppendUnknownError(f"No acknowledgement: {type(error).__name__}.") from error
        offset: int = answer.offset
        return offset

    async def close(self) -> None:
        """Let go of the broker."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.wait([self._probe])
        if self._producer is not None:
            self._retire(self._producer)
            self._producer = None
        if self._retired:
            await asyncio.wait(self._retired)

    async def _connected(self) -> AIOKafkaProducer:
        fresh = producer(self._kafka, request_timeout_ms=REQUEST_TIMEOUT_MS)
        try:
            await fresh.start()
            await self._check_partitions(fresh)
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            await fresh.stop()
            raise LogUnavailableError(f"Kafka is away: {type(error).__name__}.") from error
        except BaseException:
            await fresh.stop()
            raise
        return fresh

    async def _check_partitions(self, producer: AIOKafkaProducer) -> None:
        found = len(await producer.partitions_for(self._topic))
        if found != self._partitions:
            raise WrongPartitionsError(
                f"{self._topic} has {found} partitions where its genesis froze {self._partitions}."
            )

    def _replace(self, failed: AIOKafkaProducer, error: Exception) -> None:
        """Trust *failed* no more; send nothing until a new producer has reached the broker."""
        if self._producer is not failed:
            return
        log.warning("log.away", topic=self._topic, error=type(error).__name__)
        self._producer = None
        self._retire(failed)
        self._probe = asyncio.create_task(self._probe_until_back())

    def _retire(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(_stop(producer))
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def _probe_until_back(self) -> None:
        while self._producer is None:
            try:
                self._producer = await self._connected()
            except LogUnavailableError:
                await asyncio.sleep(_PROBE_EVERY_SECONDS)
        log.info("log.back", topic=self._topic)


def _heard(acknowledgement: asyncio.Future[object]) -> None:
    """An error is heard even where nobody waits any more; asyncio would complain."""
    if not acknowledgement.cancelled():
        acknowledgement.exception()


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(_GIVE_UP_SECONDS):
            await producer.stop()
    except Exception as error:  # noqa: BLE001 # It is being thrown away.
        log.warning("producer.stop_failed", error=type(error).__name__)
