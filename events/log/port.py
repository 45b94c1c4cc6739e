"""What a log must do for Twofold, and what must be learnt of a record once it is appended."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from events.records import Fate, Record


class LogError(Exception):
    """The log couldn't do what was asked. Never raised itself."""


class LogUnavailableError(LogError):
    """The log is away, and nothing was sent to it: this may be tried again."""


class AppendUnknownError(LogError):
    """What was sent may stand in the log, may come to, or may be lost: only the log can tell."""


class EventLog(Protocol):
    """
    One topic: the history, or the strangers'.

    Every implementation passes `tests/events/log/suite.py`.
    """

    @property
    def partitions(self) -> int:
        """How many partitions the topic has, as its genesis froze them."""

    async def append(self, partition: int, values: Sequence[bytes]) -> int:
        """
        Append *values* in one batch, whole or not at all.

        Returns:
            Offset of the first, as acknowledged by all in-sync replicas. It says where they stand,
            not that they count.

        Raises:
            LogUnavailableError: Nothing was sent.
            AppendUnknownError: It was sent, and no acknowledgement came.
        """

    async def end(self, partition: int) -> int:
        """The offset that comes after the last record (the high watermark)."""

    def read(self, partition: int, start: int) -> AsyncIterator[Sequence[Record]]:
        """
        Records from offset *start* on, in order, for ever: waits at the end for more.

        Raises:
            LogUnavailableError: The log is away; go on from the offset that is due.
        """


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What the projection has seen, read in one snapshot.

    Attributes:
        next_offset: Everything before it is folded.
        clock: The partition's monotone time there.
        fate: Of the record asked for: counted if any copy of it counted, else the fate of its first
            copy; None where none was seen.
        offset: Where that copy stands; None where none was seen.
    """

    next_offset: int
    clock: datetime
    fate: Fate | None
    offset: int | None


class Fates(Protocol):
    """What became of records, as the projection of one topic has folded them."""

    async def look(self, partition: int, digest: str) -> Seen:
        """
        What is known of the record with this *digest*.

        Raises:
            LogUnavailableError: The projection can't be asked.
        """

    async def passed(self, partition: int, offset: int, within: timedelta) -> bool:
        """Wait until everything up to and with *offset* is folded; False if it takes longer."""
