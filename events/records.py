"""Records as the broker gives them, what can become of one, and what stops a reader."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fate(StrEnum):
    """What became of a record."""

    COUNTED = "counted"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    TICK = "tick"
    MALFORMED = "malformed"
    FORGED = "forged"


QUARANTINED: Final = frozenset({Fate.MALFORMED, Fate.FORGED})


class HaltError(Exception):
    """The partition can't be read on without folding a wrong state. Never raised itself."""


class HoleError(HaltError):
    """Offsets are not dense: a record was skipped by the broker or the client."""


class ForeignTimeError(HaltError):
    """An append time is not the broker's: the topic isn't set to LogAppendTime."""


class GenesisError(HaltError):
    """The partition doesn't begin with a genesis that fits it."""


class NewerWriterError(HaltError):
    """An authentic record of an unknown type or shape: a newer writer is running."""


@dataclass(frozen=True, slots=True)
class Record:
    """
    What a reader gets from the broker, and all that a fate depends on.

    Attributes:
        offset: Kafka's.
        append_time_ms: Milliseconds since the Unix epoch, by the broker's clock.
        value: Exact bytes; None for a tombstone, which the history has no use for.
        broker_time: Whether the time is the broker's (LogAppendTime), not a client's.
    """

    offset: int
    append_time_ms: int
    value: bytes | None
    broker_time: bool = True
