"""
What the projections can be asked: the one thing that services know of each other's state.

A load gives folded state together with the heads it stands on, out of one snapshot: a decision made
on it is appended on condition of those heads, so a stale load can propose, but never decide.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from events.credentials import Failures
from events.facts import Counted, Heads, Position
from events.organisation import Organisation
from events.person import Person
from events.staff import Role
from events.stranger import Stranger
from events.username import Claim


class ProjectionUnavailableError(Exception):
    """The projections can't be asked now; this may be tried again."""


class NotYetError(Exception):
    """The position asked for isn't folded yet, and didn't come to be in time."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    How far a load's partition was folded.

    Attributes:
        position: Of the last folded record.
        clock: The partition's monotone time there.
    """

    position: Position
    clock: datetime


@dataclass(frozen=True, slots=True)
class LoadedPerson:
    """
    A person with their organisation.

    Attributes:
        heads: Of the person's account, codes, guesses and links, and of the organisation.
        before: Failed logins with the username, where they were loaded by it, while nobody held it.
    """

    person: Person
    organisation: Organisation
    heads: Heads
    place: Place
    before: Failures = field(default_factory=Failures)


@dataclass(frozen=True, slots=True)
class LoadedStranger:
    """
    A username that nobody holds.

    Attributes:
        heads: Of its stream in the strangers' topic.
        place: In the strangers' topic.
    """

    username_digest: str
    stranger: Stranger
    heads: Heads
    place: Place


@dataclass(frozen=True, slots=True)
class Session:
    """
    A session as the log tells it; whether it still holds is for who asks to decide.

    Attributes:
        role: The person's when it began.
        credential_version: Likewise.
        verified: When both factors were last proved in it, by its login or by a step-up; None for
            a session without 2FA.
        ended: When it was logged out of.
        last_seen: The one thing here that isn't folded; its start where nothing is known.
    """

    id: str
    staff_id: str
    organisation_id: str
    role: Role
    started: datetime
    two_factor: bool
    credential_version: int
    verified: datetime | None
    ended: datetime | None
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class LoadedSession:
    """A session with its person, out of one snapshot."""

    session: Session
    loaded: LoadedPerson


@dataclass(frozen=True, slots=True)
class LoadedClaim:
    """Who holds a username; *heads* has the username's stream."""

    claim: Claim | None
    heads: Heads
    place: Place


@dataclass(frozen=True, slots=True)
class CommandRow:
    """What became of a command."""

    organisation_id: str
    publisher: str
    command_id: str
    name: str
    digest: str
    outcome: Literal["accepted", "rejected"]
    position: Position
    at: datetime
    actor: str
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class LoadedForCommand:
    """
    What a command in one organisation is decided on.

    Attributes:
        command: Its outcome, where it has one already.
        organisation: None where it isn't registered.
        target: The person it is about, in this organisation; None where there's none.
        actor: The person who acts, where that is one of this organisation.
        administrators: Up to ten other active administrators of the organisation than the target.
        heads: Of the organisation, the target's, the actor's and the administrators' accounts, the
            target's links, codes and guesses, and the command's stream.
    """

    command: CommandRow | None
    organisation: Organisation | None
    target: Person | None
    actor: Person | None
    administrators: Sequence[str]
    heads: Heads
    place: Place


@dataclass(frozen=True, slots=True)
class LoginRow:
    """
    One line of a person's login history.

    Attributes:
        purpose: A login, a session's step-up, or an e-mailed link; of the latter, refusals alone.
        outcome: As `events.staff.LoginOutcome`, or as a code's that was checked.
    """

    at: datetime
    purpose: Literal["login", "step_up", "link"]
    outcome: str
    source: str
    two_factor: bool
    position: Position


@dataclass(frozen=True, slots=True)
class Summary:
    """How many of an organisation's active people have 2FA, and how many haven't."""

    active: int
    with_two_factor: int
    without_two_factor: int


class Loads(Protocol):
    """Loads for decisions. Each raises `ProjectionUnavailableError` when it can't be asked."""

    async def by_username(self, username_digest: str) -> LoadedPerson | LoadedStranger:
        """Whoever holds the username, or the stranger; one statement, the same for both."""

    async def by_staff(self, staff_id: str) -> LoadedPerson | None:
        """The person."""

    async def by_link(self, ticket_digest: str) -> LoadedPerson | None:
        """The person whose newest link has this ticket."""

    async def by_session(self, token_digest: str) -> LoadedSession | None:
        """The session with this token, and its person."""

    async def live_sessions(self, staff_id: str) -> Sequence[Session]:
        """Sessions of the person that carry the current credential version and aren't ended."""

    async def claim(self, username_digest: str) -> LoadedClaim:
        """Who holds the username, from its own stream."""

    async def for_command(
        self,
        *,
        organisation_id: str,
        publisher: str,
        command_id: str,
        staff_id: str | None,
        actor_id: str | None,
    ) -> LoadedForCommand:
        """What a command is decided on."""

    async def event(self, event_id: str) -> Counted | None:
        """The event with this id, if it counted within the last days."""

    async def seen(self, session_id: str, at: datetime) -> None:
        """Note when a session was last used, at most once a minute."""


class Queries(Protocol):
    """Answers for people and APIs, each with the position it was read at."""

    async def wait_for(self, position: Position, within: timedelta = timedelta(seconds=2)) -> None:
        """
        Wait until *position* is folded.

        Raises:
            NotYetError: It isn't in time, or is of another generation.
        """

    async def organisation(self, organisation_id: str) -> tuple[Organisation | None, Position]:
        """An organisation with its policy."""

    async def organisations(self, limit: int = 200) -> Sequence[Organisation]:
        """All of them, by name."""

    async def summary(self, organisation_id: str) -> tuple[Summary, Position]:
        """Who has 2FA and who hasn't."""

    async def people(
        self, organisation_id: str, *, enrolled: bool | None, after: str = "", limit: int = 200
    ) -> tuple[Sequence[Person], Position]:
        """People of an organisation, by staff id, from *after* on."""

    async def person(self, organisation_id: str, staff_id: str) -> tuple[Person | None, Position]:
        """One person of that organisation."""

    async def history(
        self, organisation_id: str, staff_id: str, *, before: int | None = None, limit: int = 100
    ) -> tuple[Sequence[Counted], Position]:
        """The newest events of a person's account, newest first; those before an offset, or all."""

    async def logins(
        self, organisation_id: str, staff_id: str, *, succeeded: bool, limit: int = 10
    ) -> tuple[Sequence[LoginRow], Position]:
        """
        The newest lines of a person's login history, newest first: logins, or what was refused.

        Never both together: strangers bring about any number of refusals, and would hide a login.
        """

    async def decided(self, command_ids: Collection[str], publisher: str) -> Collection[str]:
        """Those of *publisher*'s commands of which something has become."""

    async def outcomes(self, command_id: str, publisher: str | None) -> Sequence[CommandRow]:
        """
        What became of *publisher*'s command (None: of anybody's) under this id.

        Several, where the same id was taken in several organisations, or by several publishers.
        """

    async def halted(self) -> Collection[int]:
        """Partitions of the history that aren't folded on, until somebody looks after them."""


class Follows(Protocol):
    """Counted events in log order, for what happens outside once they count."""

    async def counted_after(
        self, partition: int, offset: int, limit: int = 500
    ) -> tuple[Sequence[tuple[Counted, Person | None]], int]:
        """
        Events behind *offset* that counted, each with its person as folded now.

        Returns:
            The events, and the offset up to which nothing else is to come.
        """

    async def entries(self, entry_ids: Collection[str]) -> Mapping[str, bytes]:
        """Sealed entries of the vault, those that are there."""
