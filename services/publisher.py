"""
For programs that publish admin commands: sign one, send it, learn what became of it.

Blocking, and on confluent-kafka alone, so that a script needs nothing else of this project running.
"""

import json
import secrets
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events.command_wire import CommandOutcome, sign, write_command
from events.commands import Command
from events.keys import KeyRingError, write_private
from events.log.clients import Connection, bulk_consumer
from events.moments import from_milliseconds, to_milliseconds
from events.topics import COMMANDS, OUTCOMES

PATIENCE: Final = timedelta(seconds=30)
"""How long an outcome is waited for."""


class PublishError(Exception):
    """The command wasn't published, or its outcome didn't come; the sentence says which."""


@dataclass(frozen=True, slots=True)
class PublisherKey:
    """A publisher's private key, with the id that it is registered under."""

    id: str
    key: bytes = field(repr=False)

    def save(self, path: Path) -> None:
        """
        Write it where only its owner can read it.

        Raises:
            KeyRingError: The file exists already.
        """
        write_private(path, json.dumps({"id": self.id, "key": b64encode(self.key).decode()}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """
        Read what `save` wrote.

        Raises:
            KeyRingError: It is missing, readable by others, or no such file.
        """
        try:
            if path.stat().st_mode & 0o077:
                raise KeyRingError(f"{path} can be read by others; run chmod 600 on it.")
            stored = json.loads(path.read_text())
            return cls(str(stored["id"]), b64decode(stored["key"], validate=True))
        except OSError as error:
            raise KeyRingError(f"No publisher's key can be read at {path}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise KeyRingError(f"{path} is no publisher's key file.") from error

    def private(self) -> Ed25519PrivateKey:
        """To sign with."""
        return Ed25519PrivateKey.from_private_bytes(self.key)


def fresh_id(written: datetime) -> str:
    """A command's id that holds when it was *written*, in milliseconds (UUIDv7, RFC 9562)."""
    random = secrets.randbits(74)
    high, low = random >> 62, random & (2**62 - 1)
    return str(UUID(int=to_milliseconds(written) << 80 | 7 << 76 | high << 64 | 2 << 62 | low))


def written_at(command_id: str) -> datetime | None:
    """When the command with this `fresh_id` was written; None for an id of another kind."""
    try:
        found = UUID(command_id)
    except ValueError:
        return None
    return from_milliseconds(found.int >> 80) if found.version == 7 else None


class CommandSender:
    """Sends commands, one at a time."""

    def __init__(self, kafka: Connection | str, key: PublisherKey, *, audience: str) -> None:
        """
        Args:
            kafka: Where.
            key: Who signs.
            audience: Which installation is meant, ``development/twofold.commands``.
        """
        self._key, self._audience = key, audience
        self._producer = Producer(
            {
                **Connection.to(kafka).librdkafka(),
                "acks": "all",
                "partitioner": "murmur2_random",
                "message.timeout.ms": 10_000,
            }
        )
        self._consumer: Consumer = bulk_consumer(kafka)

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self,
        command: Command,
        *,
        command_id: str | None = None,
        written: datetime | None = None,
        actor: str | None = None,
        patience: timedelta = PATIENCE,
    ) -> CommandOutcome:
        """
        Publish *command*, and wait for its outcome.

        Args:
            command: What is wanted.
            command_id: The same one again, with all else the same, has the same outcome and no
                second effect.
            written: When it was first written, for that is part of it; None: now.
            actor: ``staff/<uuid>``; None: the publisher itself.
            patience: How long to wait.

        Raises:
            PublishError: It wasn't published, or the outcome didn't come in time.
        """
        written = written or from_milliseconds(to_milliseconds(datetime.now(UTC)))
        command_id = command_id or fresh_id(written)
        value = self.value(command, command_id, written, actor)
        try:
            self._watch_outcomes()
            self._publish(value, command.organisation_id)
            return self._outcome(command_id, patience)
        except KafkaException as error:
            raise PublishError(f"Kafka can't be used: {error.args[0].str()}.") from error

    def value(
        self, command: Command, command_id: str, written: datetime, actor: str | None = None
    ) -> bytes:
        """The bytes to sign; the same for the same."""
        return write_command(
            command,
            command_id=command_id,
            source="twofold/command-line",
            audience=self._audience,
            actor=actor or f"service/{self._key.id}",
            now=written,
        )

    def _watch_outcomes(self) -> None:
        """From the topic's present ends on."""
        found = self._consumer.list_topics(OUTCOMES.name, timeout=10).topics[OUTCOMES.name]
        if found.error is not None or not found.partitions:
            raise PublishError(f"There is no topic {OUTCOMES.name}: run twofold topics create.")
        ends = []
        for partition in found.partitions:
            place = TopicPartition(OUTCOMES.name, partition)
            place.offset = self._consumer.get_watermark_offsets(place, timeout=10, cached=False)[1]
            ends.append(place)
        self._consumer.assign(ends)

    def _publish(self, value: bytes, organisation_id: str) -> None:
        failures: list[Any] = []

        def delivered(error: Any, _: Message) -> None:
            if error is not None:
                failures.append(error)

        self._producer.produce(
            COMMANDS.name,
            value,
            organisation_id.encode(),
            headers=[
                *sign(value, self._key.id, self._key.private()),
                ("content-type", b"application/cloudevents+json"),
            ],
            on_delivery=delivered,
        )
        if self._producer.flush(15) or failures:
            why = failures[0].str() if failures else "no acknowledgement"
            raise PublishError(f"The command wasn't published: {why}.")

    def _outcome(self, command_id: str, patience: timedelta) -> CommandOutcome:
        last = time.monotonic() + patience.total_seconds()
        while time.monotonic() < last:
            for message in self._consumer.consume(100, timeout=0.1):
                outcome = None if message.error() else _read(message.value(), self._key.id)
                if outcome is not None and outcome.command_id == command_id:
                    return outcome
        raise PublishError(
            f"Command {command_id} is published, and its outcome didn't come in time; sent again"
            " under this id, it gets it."
        )


def _read(value: bytes | None, publisher: str) -> CommandOutcome | None:
    """The outcome of a command of *publisher*'s; None where it is another's, or none."""
    try:
        members = json.loads(value or b"")
        if members.get("publisher", publisher) != publisher:
            return None
        return CommandOutcome.model_validate_json(json.dumps(members["data"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
