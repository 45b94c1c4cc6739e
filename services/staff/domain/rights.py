"""
Who may command what: the publisher's key, and the person on whose behalf it signs.

Both must be allowed to. A person's rights are those that they have when the command is decided,
not those that they had when it was sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from events import streams
from events.command_wire import CommandEnvelope
from events.commands import ChangeRole, ChangeStaffDetails, Command, RegisterStaff
from events.person import Person
from events.session import is_fresh, why_ended
from services.projections.port import LoadedPerson, Session
from services.staff.domain.errors import (
    ExpiredError,
    ExpiryTooFarError,
    NotPermittedError,
    OnYourselfError,
    SessionEndedError,
    StepUpRequiredError,
    SupportElsewhereError,
    UnknownOrganisationError,
    WrongAudienceError,
)

LONGEST_EXPIRY: Final = timedelta(hours=24)
ANY: Final = "*"

SUPPORT_ALONE: Final = frozenset(
    {"register_organisation", "set_two_factor_policy", "set_password_expiry", "forget_staff"}
)
GRAVE: Final = frozenset(
    {
        "disable_two_factor",
        "forget_staff",
        "reactivate_staff",
        "require_password_reset",
        "set_two_factor_policy",
        "set_password_expiry",
    }
)
"""These need a step-up in the last ten minutes; see also `is_grave`."""


@dataclass(frozen=True, slots=True)
class Rights:
    """
    What a publisher's key is registered for.

    Attributes:
        key_id: The key's.
        commands: Short names of commands; ``*``: all.
        organisations: Ids; ``*``: all.
        actors: ``service``: the publisher itself; ``staff``: any person, with that person's rights;
            or an actor in full.
        grants_support: Whether it may give the role support by itself, and act on whoever has it:
            the operator's key.
    """

    key_id: str
    commands: frozenset[str]
    organisations: frozenset[str]
    actors: frozenset[str]
    grants_support: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """
    Who commands.

    Attributes:
        actor: ``staff/<uuid>`` or ``service/<key id>``.
        rights: Of the publisher's key.
        loaded: The person who acts, as they are now; None for a service, or where there's none.
        session: The session that it was sent from, where it is one of that person's and not ended.
        from_session: Whether the command names a session.
    """

    actor: str
    rights: Rights
    loaded: LoadedPerson | None = None
    session: Session | None = None
    from_session: bool = False

    @property
    def person(self) -> Person | None:
        """The person who acts."""
        return self.loaded.person if self.loaded else None

    @property
    def staff_id(self) -> str | None:
        """The id of the person who acts; None for a service."""
        kind, _, name = self.actor.partition("/")
        return name if kind == "staff" else None

    @property
    def looks_after_support(self) -> bool:
        """
        Whether support's people are theirs to act on: support's own, and the operator's key's.

        A key that can't make support must not take an account over that is of it already.
        """
        if self.person is not None:
            return self.person.role == "support"
        return self.rights.grants_support


def check_envelope(envelope: CommandEnvelope, audience: str, now: datetime) -> None:
    """
    Whether the command is meant for this installation and this time.

    Args:
        envelope: The command's attributes.
        audience: What commands to this installation name.
        now: The real clock.

    Raises:
        RefusedError: It isn't.
    """
    if envelope.audience != audience:
        raise WrongAudienceError
    if now > envelope.expiry:
        raise ExpiredError
    if envelope.expiry - now > LONGEST_EXPIRY:
        raise ExpiryTooFarError


def check(command: Command, sender: Sender, home: str, now: datetime) -> frozenset[str]:
    """
    Whether *sender* may do this.

    Args:
        command: What is to be done.
        sender: Who commands, as loaded for this decision.
        home: Id of support's own organisation.
        now: The clock that decisions see.

    Returns:
        Streams of the command's organisation that the permission relies on.

    Raises:
        RefusedError: They may not.
    """
    _check_key(command, sender)
    _check_role_given(command, sender, home)
    if sender.staff_id is None:
        return frozenset()
    if sender.loaded is None:
        raise NotPermittedError
    return _check_person(command, sender, sender.loaded, home, now)


def _check_key(command: Command, sender: Sender) -> None:
    rights = sender.rights
    if not {ANY, command.name} & rights.commands:
        raise NotPermittedError
    if not {ANY, command.organisation_id} & rights.organisations:
        raise NotPermittedError
    if sender.actor in rights.actors:
        return
    itself = sender.actor == f"service/{rights.key_id}"
    if not ({"service"} if itself else {"staff"} if sender.staff_id else set()) & rights.actors:
        raise NotPermittedError


def _check_role_given(command: Command, sender: Sender, home: str) -> None:
    if not isinstance(command, RegisterStaff | ChangeRole) or command.role != "support":
        return
    if command.organisation_id != home:
        raise SupportElsewhereError
    if sender.staff_id is None and not sender.rights.grants_support:
        raise NotPermittedError


def _check_person(
    command: Command, sender: Sender, loaded: LoadedPerson, home: str, now: datetime
) -> frozenset[str]:
    person = loaded.person
    if not person.active or not person.enrolled:
        raise NotPermittedError
    at_home = person.organisation_id == command.organisation_id
    if person.role == "support" and person.organisation_id == home:
        pass
    elif person.role == "administrator":
        if not at_home:
            raise UnknownOrganisationError  # As for what doesn't exist.
        _check_administrator(command)
    else:
        raise NotPermittedError
    if sender.from_session:
        session = sender.session
        if session is None or not session.two_factor or why_ended(session, loaded, now):
            raise SessionEndedError
    if getattr(command, "staff_id", None) == person.staff_id:
        raise OnYourselfError
    verified = sender.session.verified if sender.session else person.verified
    if is_grave(command) and not is_fresh(verified, now):
        raise StepUpRequiredError
    return _relied_on(sender, person) if at_home else frozenset()


def is_grave(command: Command) -> bool:
    """Whether it needs a step-up: also what a stolen session could stay in or take over by."""
    match command:
        case RegisterStaff() | ChangeRole():
            return command.role != "staff"
        case ChangeStaffDetails():
            return command.username is not None or command.email is not None
        case _:
            return command.name in GRAVE


def _check_administrator(command: Command) -> None:
    if command.name in SUPPORT_ALONE:
        raise NotPermittedError
    if isinstance(command, RegisterStaff | ChangeRole) and command.role == "support":
        raise NotPermittedError


def _relied_on(sender: Sender, person: Person) -> frozenset[str]:
    names = {streams.account(person.organisation_id, person.staff_id)}
    if sender.session:
        names.add(streams.session(person.organisation_id, sender.session.id))
    return frozenset(names)
