"""What the staff service needs from outside, besides the log, the vault and the projections."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from events.command_wire import CommandOutcome
from services.staff.domain.rights import Rights
from services.staff.publishers import Publisher

INTERNAL_ERROR: Final = "internal-error"
"""Why a command stands among the dead letters that is one, and met a fault of ours."""


@dataclass(frozen=True, slots=True)
class RawCommand:
    """
    A record of the commands' topic, as it came.

    Attributes:
        partition: Kafka's.
        offset: Kafka's.
        key: As it came.
        value: Exact bytes; None for a tombstone.
        headers: None where they can't be decoded.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """
    Why a record has no outcome; what stood in it is not told, for it may be anything.

    Attributes:
        raw: As it came.
        reason: A permanent word.
        detail: A sentence for people.
    """

    raw: RawCommand
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answered:
    """
    What became of a command.

    Attributes:
        publisher: Key id of who signed it; others may take the same command id.
    """

    publisher: str
    outcome: CommandOutcome


class LeaseLostError(Exception):
    """Another process may deal with the partition from here on."""


class Publishers(Protocol):
    """Who may publish commands, as the file says now."""

    def find(self, key_id: str) -> Publisher | None:
        """The publisher with that key; None where there's none (any more)."""

    def rights(self, publisher: Publisher, actor: str) -> Rights:
        """What *publisher* may do for *actor*: its rights, or those of the API key that acts."""


class Source(Protocol):
    """One partition of the commands' topic, read by one process at a time."""

    def read(self) -> AsyncGenerator[Sequence[RawCommand], None]:
        """
        Records from the last commit on, for ever.

        Raises:
            LogUnavailableError: Kafka is away; read again.
        """

    async def commit(self, next_offset: int) -> None:
        """
        Everything before *next_offset* is dealt with.

        Raises:
            LogUnavailableError: Kafka is away.
        """


class Outlet(Protocol):
    """Where outcomes and dead letters go; each raises `LogUnavailableError` when it can't."""

    async def outcome(self, answered: Answered) -> None:
        """Publish what became of a command."""

    async def dead_letter(self, letter: DeadLetter) -> None:
        """Publish why a record has no outcome."""


class Outbox(Protocol):
    """Where commands are published."""

    async def publish(
        self, organisation_id: str, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> None:
        """
        Publish a signed command.

        Raises:
            LogUnavailableError: It may or may not be published.
        """
