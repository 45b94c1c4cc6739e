"""What the notices need of the world: somewhere to send mail, and a memory of how far they got."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from events.facts import Counted, Position
from events.person import Person

MOST_POSTPONED: Final = 50
"""So many mails of one partition are postponed at most: they are kept in one short string."""


class MailUnavailableError(Exception):
    """The mail server can't take any mail now; the same mail may be tried again."""


class MailDeferredError(Exception):
    """The mail server can't take this one mail now, and may well take others; no address in it."""


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
        message_id: Derived from the event's digest, so that a copy is known as one.
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
            MailUnavailableError: Try again later, this one before any other.
            MailDeferredError: Try again later; others needn't wait for it.
            MailRefusedError: Never try again.
        """


class PeopleOf(Protocol):
    """The part of `services.projections.port.Queries` that notices need."""

    async def person(
        self, organisation_id: str, staff_id: str
    ) -> tuple[Person | None, Position]: ...

    async def people(
        self, organisation_id: str, *, enrolled: bool | None, after: str = "", limit: int = 200
    ) -> tuple[Sequence[Person], Position]: ...


class Audience(Protocol):
    """The people to whom an event that is about nobody is told, one by one."""

    async def behind(self, counted: Counted, staff_id: str) -> Sequence[Person]:
        """Some of those whose ids sort behind *staff_id*, sorted; none: there are no more."""

    async def one(self, counted: Counted, staff_id: str) -> Person | None:
        """That one, whether they still belong to it or not; None where there's no such person."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """
    A mail that is tried again by itself.

    Attributes:
        offset: Of its event.
        staff_id: To whom, where the event is told to several; None: to whom it is about.
    """

    offset: int
    staff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """
    How far a partition is dealt with.

    Attributes:
        next_offset: Everything before it is dealt with, but for what is postponed.
        postponed: At most `MOST_POSTPONED`, the oldest first.
    """

    next_offset: int
    postponed: tuple[Postponed, ...] = ()


class Progress(Protocol):
    """How far the counted events of each partition are dealt with, kept outside the projections."""

    async def load(self, partition: int) -> Kept | None:
        """
        What was saved last; None where nothing ever was.

        Raises:
            LogError: It can't be read now.
        """

    async def save(self, partition: int, kept: Kept) -> None:
        """
        Keep *kept* in the place of what was there.

        Raises:
            LogError: It may or may not be kept.
        """
