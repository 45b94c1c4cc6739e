"""What all events have in common: frozen data under a permanent wire name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from events import streams

Uuid = Annotated[str, StringConstraints(pattern=rf"^{streams.UUID}$")]
Digest = Annotated[str, StringConstraints(pattern=rf"^{streams.DIGEST}$")]
EntryId = Uuid
"""Names an entry of the vault."""
Sealed = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,16384}$")]
"""Personal data under the person's own data key, base64url without padding."""


class Part(BaseModel):
    """A part of a fact's data."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Fact(Part):
    """
    The data of an event.

    A subclass is frozen for ever under its wire name: any change of shape is a new version.
    """

    wire_name: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The event's own fields, as they stand in the envelope's ``data``."""
        return self.model_dump(mode="json", exclude_none=True)


class State(BaseModel):
    """A fold's value: built by `evolve`, never edited."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Position:
    """
    A place in the history, spelt ``generation:partition:offset`` for people and APIs.

    Attributes:
        generation: The event topic's random id, from its genesis.
        partition: Kafka's.
        offset: Kafka's.
    """

    generation: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.generation}:{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """
        Read what `str` writes.

        Raises:
            ValueError: *text* is no position.
        """
        generation, partition, offset = text.split(":")
        if not (
            partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()
        ):
            raise ValueError("A position is written like generation:partition:offset.")
        return cls(generation, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Counted:
    """
    An event that counted, as folds see it.

    Attributes:
        fact: The event's data, at its current version.
        id: The envelope's id.
        stream: The envelope's subject.
        digest: SHA-256 of the record, the stream's head from here on.
        at: Monotone append time of the broker: the highest seen in the partition so far.
        position: Where it stands.
        actor: Who did it.
        correlation_id: The request.
        causation_id: The command that led to it, if one did.
    """

    fact: Fact
    id: str
    stream: str
    digest: str
    at: datetime
    position: Position
    actor: str
    correlation_id: str
    causation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One event that a decision makes: the stream it belongs to, and its data."""

    stream: str
    fact: Fact


Heads = Mapping[str, str | None]
"""Streams with their heads, as loaded for a decision."""
