"""
Checkpoints: what a partition's history was when somebody signed it (C2SP tlog-checkpoint).

Whoever has an earlier one, and the public key, can show that history was changed, whoever changed
it and whatever keys they have.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import KafkaException, Producer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events import topics
from events.log.clients import Connection
from events.log.port import LogUnavailableError
from events.log.reach import away
from events.moments import read_moment, write_moment
from services.audit.notes import NoteError, VerificationKey, open_note, sign

_TEXT = re.compile(
    r"(?P<name>twofold/[a-z0-9-]{1,40})/(?P<generation>[^/\s]{1,64})/(?P<partition>0|[1-9][0-9]*)\n"
    r"(?P<size>[1-9][0-9]*)\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"clock (?P<clock>\S+)\nrunning (?P<running>[0-9a-f]{64})\n"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """
    One partition, as far as it reached.

    Attributes:
        name: Of the installation, ``twofold/<environment>``.
        generation: The history's.
        partition: Kafka's.
        next_offset: It covers all records before this offset.
        root: Merkle tree hash over them, 32 bytes.
        clock: Their highest append time.
        running: The running digest behind them.
    """

    name: str
    generation: str
    partition: int
    next_offset: int
    root: bytes
    clock: datetime
    running: str

    @property
    def text(self) -> str:
        """What is signed."""
        return (
            f"{self.name}/{self.generation}/{self.partition}\n{self.next_offset}\n"
            f"{b64encode(self.root).decode()}\n"
            f"clock {write_moment(self.clock)}\nrunning {self.running}\n"
        )

    def sign(self, private: Ed25519PrivateKey) -> str:
        """The signed note."""
        return sign(self.text, private)

    @classmethod
    def open(cls, note: str, key: VerificationKey) -> "Checkpoint":
        """
        Read a signed note.

        Raises:
            NoteError: It is no checkpoint, or *key* didn't sign it.
        """
        match = _TEXT.fullmatch(open_note(note, key))
        if match is None:
            raise NoteError("This note is no checkpoint.")
        try:
            clock = read_moment(match["clock"])
        except ValueError:
            raise NoteError("This note is no checkpoint.") from None
        return cls(
            name=match["name"],
            generation=match["generation"],
            partition=int(match["partition"]),
            next_offset=int(match["size"]),
            root=b64decode(match["root"]),
            clock=clock,
            running=match["running"],
        )

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "name": self.name,
            "generation": self.generation,
            "partition": self.partition,
            "next_offset": self.next_offset,
            "root": self.root.hex(),
            "clock": write_moment(self.clock),
            "running": self.running,
        }


def opened(notes: Iterable[str], key: VerificationKey) -> tuple[list[Checkpoint], int]:
    """
    The checkpoints among *notes* that *key* signed, in order, and how many notes are none.

    Anybody with write access to the topic can put something there; only the key makes it believed.
    """
    found, refused = set(), 0
    for note in notes:
        try:
            found.add(Checkpoint.open(note, key))
        except NoteError:
            refused += 1
    return sorted(found, key=lambda one: (one.partition, one.next_offset)), refused


def publish(
    kafka: Connection | str,
    notes: Sequence[tuple[int, str]],
    *,
    topic: str = topics.CHECKPOINTS.name,
) -> None:
    """
    Append notes, each with its partition.

    Raises:
        LogUnavailableError: The broker is away, or didn't take them.
    """
    failures: list[str] = []
    producer = Producer(
        {
            **Connection.to(kafka).librdkafka(),
            "acks": "all",
            "partitioner": "murmur2_random",
            "message.timeout.ms": 10_000,
        }
    )
    for partition, note in notes:
        try:
            producer.produce(
                topic,
                value=note.encode(),
                key=str(partition).encode(),
                on_delivery=lambda error, _: failures.append(error.name()) if error else None,
            )
        except KafkaException as error:
            raise away(kafka, error) from error
    if producer.flush(15) or failures:
        told = failures[0] if failures else "no answer"
        raise LogUnavailableError(f"Kafka didn't take the checkpoints: {told}.")
