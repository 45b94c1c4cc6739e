"""Publishing on Kafka: commands, their outcomes, dead letters."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Self
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors

from events import streams, topics
from events.canonical import digest
from events.command_wire import write_outcome
from events.log.clients import REQUEST_TIMEOUT_MS, Connection, producer
from events.log.port import AppendUnknownError, LogUnavailableError
from services.staff.ports import Answered, DeadLetter

_ORGANISATION: Final = re.compile(streams.UUID.encode())

_GIVE_UP_S: Final = 2 * REQUEST_TIMEOUT_MS / 1000
_CONTENT_TYPE: Final = ("content-type", b"application/cloudevents+json")

log = structlog.get_logger()


class KafkaOutbox:
    """An `Outbox` and an `Outlet`; its producer is replaced after every failure."""

    def __init__(
        self,
        kafka: Connection | str,
        *,
        commands: str = topics.COMMANDS.name,
        outcomes: str = topics.OUTCOMES.name,
        dead_letters: str = topics.DEAD_LETTERS.name,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            kafka: Where.
            commands: The topic's name; and so on.
            outcomes: The topic's name.
            dead_letters: The topic's name.
            clock: For what the records say of their time.
        """
        self._kafka, self._clock = kafka, clock
        self._commands, self._outcomes, self._dead_letters = commands, outcomes, dead_letters
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._stopping: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the broker."""
        if self._producer is not None:
            self._replace(self._producer)
        if self._stopping:
            await asyncio.wait(self._stopping)

    async def partitions(self) -> int:
        """
        How many partitions the commands' topic has.

        Raises:
            LogUnavailableError: Kafka is away.
        """
        current = await self._started()
        try:
            return len(await current.partitions_for(self._commands))
        except (kafka_errors.KafkaError, TimeoutError) as error:
            raise LogUnavailableError(f"Kafka is away: {type(error).__name__}.") from error

    async def publish(
        self, organisation_id: str, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> None:
        await self._send(self._commands, organisation_id.encode(), value, [*headers, _CONTENT_TYPE])

    async def outcome(self, answered: Answered) -> None:
        outcome, publisher = answered.outcome, answered.publisher
        value = write_outcome(outcome, publisher, event_id=str(uuid4()), now=self._clock())
        await self._send(self._outcomes, outcome.command_id.encode(), value, [_CONTENT_TYPE])

    async def dead_letter(self, letter: DeadLetter) -> None:
        raw = letter.raw
        # Whatever else was sent as a key may be a secret, or longer than a topic takes.
        key = raw.key if _ORGANISATION.fullmatch(raw.key or b"") else None
        value = json.dumps(
            {
                "reason": letter.reason,
                "detail": letter.detail,
                "topic": self._commands,
                "partition": raw.partition,
                "offset": raw.offset,
                "size": len(raw.value or b""),
                "digest": digest(raw.value or b""),
            }
        ).encode()
        await self._send(self._dead_letters, key, value, [("reason", letter.reason.encode())])

    async def _send(
        self, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> None:
        current = await self._started()
        try:
            acknowledged = await current.send(topic, value, key=key, headers=headers)
            async with asyncio.timeout(_GIVE_UP_S):
                await asyncio.shield(acknowledged)
        except (kafka_errors.KafkaError, TimeoutError, AssertionError) as error:
            self._replace(current)
            raise AppendUnknownError(f"No acknowledgement: {type(error).__name__}.") from error

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                fresh = producer(self._kafka)
                try:
                    await fresh.start()
                except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
                    await fresh.stop()
                    raise LogUnavailableError(f"Kafka is away: {type(error).__name__}.") from error
                self._producer = fresh
            return self._producer

    def _replace(self, failed: AIOKafkaProducer) -> None:
        if self._producer is failed:
            self._producer = None
            task = asyncio.create_task(_stop(failed))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)


async def _stop(failed: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(_GIVE_UP_S):
            await failed.stop()
    except Exception as error:  # noqa: BLE001 -- It is being thrown away.
        log.warning("producer.stop_failed", error=type(error).__name__)
