"""What the notices need of the world: somewhere to send mail, and a memory of how far they got."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class MailUnavailableError(Exception):
    """The mail server can't take it now; the same mail may be tried again."""


class MailRefusedError(Exception):
    """The mail server will never take this mail, such as for an address that doesn't exist."""


@dataclass(frozen=True, slots=True)
class Mail:
    """
    One e-mail, ready to go.

    Attributes:
        to: An address, without a name.
        subject: One line.
        text: Plain text, lines of any length.
        html: The same words.
        message_id: Derived from the event's id, so that a copy is known as one.
        date: When the event counted.
    """

    to: str
    subject: str
    text: str
    html: str
    message_id: str
    date: datetime


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """
        Hand *mail* to the mail server.

        Raises:
            MailUnavailableError: Try again later.
            MailRefusedError: Never try again.
        """


class Progress(Protocol):
    """How far the counted events of each partition are dealt with, kept outside the projections."""

    async def load(self, partition: int) -> int | None:
        """The offset of the next event to deal with; None where nothing was ever dealt with."""

    async def save(self, partition: int, next_offset: int) -> None:
        """Everything before *next_offset* is dealt with."""
