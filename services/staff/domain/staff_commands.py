"""Commands about a person: what each needs, and what follows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from events import streams
from events.commands import ChangeRole, RegisterStaff
from events.facts import Draft, Fact
from events.person import Person
from events.staff import (
    PasswordLinkIssued,
    PasswordResetRequired,
    RoleChanged,
    StaffDeactivated,
    StaffDetailsChanged,
    StaffForgotten,
    StaffReactivated,
    StaffRegistered,
    TwoFactorDisabled,
)
from services.staff.domain.errors import (
    AlreadyActiveError,
    AlreadyDeactivatedError,
    AlreadyRegisteredError,
    AlreadySetError,
    DeactivatedError,
    NotEnrolledError,
    NothingChangesError,
)
from services.staff.domain.situation import Decision, Situation

LINK_LIFETIME: Final = timedelta(minutes=30)
"""From the decision on (PRODUCT.md)."""


@dataclass(frozen=True, slots=True)
class NewLink:
    """
    A link that can be issued.

    Attributes:
        link: Its id.
        ticket_digest: SHA-256 of the ticket that derives from it.
    """

    link: str
    ticket_digest: str


@dataclass(frozen=True, slots=True)
class NewPerson:
    """
    What a registration needs, made ready.

    Attributes:
        username_digest: Claimed for this person.
        claimed_until: The claim's registration deadline.
        data_key: The vault's entry with the person's data key.
        details: Sealed under it.
    """

    username_digest: str
    claimed_until: datetime
    data_key: str
    details: str


@dataclass(frozen=True, slots=True)
class NewDetails:
    """
    Details as they are to be, made ready.

    Attributes:
        username_digest: Claimed for this person, where it changes.
        claimed_until: The claim's registration deadline; None where the username stays.
        details: In full, sealed.
        changed: Which of them change.
        old_email: The address as it was, sealed, where it changes.
    """

    username_digest: str
    claimed_until: datetime | None
    details: str
    changed: tuple[Literal["username", "email", "display_name"], ...]
    old_email: str | None


def may_register(situation: Situation) -> None:
    """
    Whether the organisation can take somebody of this id; asked before a username is claimed.

    Raises:
        RefusedError: It can't.
    """
    situation.registered()
    if situation.target is not None:
        raise AlreadyRegisteredError


def register_staff(
    command: RegisterStaff, situation: Situation, new: NewPerson, link: NewLink
) -> Decision:
    """Register somebody and invite them."""
    may_register(situation)
    registered = StaffRegistered(
        username_digest=new.username_digest,
        data_key=new.data_key,
        details=new.details,
        role=command.role,
    )
    return Decision(
        [
            Draft(streams.account(command.organisation_id, command.staff_id), registered),
            _issue(command.organisation_id, command.staff_id, link, "invited", situation.now),
        ],
        frozenset({streams.organisation(command.organisation_id)}),
        lapses=new.claimed_until,
    )


def change_staff_details(situation: Situation, new: NewDetails) -> Decision:
    """Change who somebody is said to be."""
    person = situation.somebody()
    if not new.changed:
        raise NothingChangesError
    changed = StaffDetailsChanged(
        username_digest=new.username_digest,
        details=new.details,
        changed=list(new.changed),
        old_email=new.old_email,
    )
    return Decision([_on_account(person, changed)], lapses=new.claimed_until)


def change_role(command: ChangeRole, situation: Situation, reason: str) -> Decision:
    """Change what somebody may do; *reason* is sealed, here and below."""
    person = situation.somebody()
    if person.role == command.role:
        raise AlreadySetError
    basis = situation.one_administrator_remains()
    return Decision([_on_account(person, RoleChanged(role=command.role, reason=reason))], basis)


def disable_two_factor(situation: Situation, reason: str) -> Decision:
    """Disable 2FA; the way back on is a new password, and nothing else."""
    person = situation.somebody()
    if not person.enrolled:
        raise NotEnrolledError
    disabled = TwoFactorDisabled(cause="administrator", reason=reason)
    return Decision([_on_account(person, disabled)])


def require_password_reset(situation: Situation, reason: str, link: NewLink) -> Decision:
    """The password gets nobody anywhere from here on; a link is e-mailed to its owner."""
    person = situation.somebody()
    if not person.active:
        raise DeactivatedError
    return Decision(
        [
            _on_account(person, PasswordResetRequired(reason=reason)),
            _issue(person.organisation_id, person.staff_id, link, "required", situation.now),
        ]
    )


def deactivate_staff(situation: Situation, reason: str) -> Decision:
    """Shut somebody out, at once and everywhere."""
    person = situation.somebody()
    if not person.active:
        raise AlreadyDeactivatedError
    basis = situation.one_administrator_remains()
    return Decision([_on_account(person, StaffDeactivated(reason=reason))], basis)


def reactivate_staff(situation: Situation, reason: str) -> Decision:
    """Let somebody in again, who has neither password, authenticator nor session now."""
    person = situation.somebody()
    if person.active:
        raise AlreadyActiveError
    return Decision([_on_account(person, StaffReactivated(reason=reason))])


def forget_staff(situation: Situation) -> Decision:
    """Forget who somebody was; their reason goes with the key that it would be sealed under."""
    person = situation.somebody()
    basis = situation.one_administrator_remains()
    return Decision([_on_account(person, StaffForgotten())], basis)


def _on_account(person: Person, fact: Fact) -> Draft:
    return Draft(streams.account(person.organisation_id, person.staff_id), fact)


def _issue(
    organisation_id: str,
    staff_id: str,
    link: NewLink,
    cause: Literal["invited", "required"],
    now: datetime,
) -> Draft:
    issued = PasswordLinkIssued(
        link=link.link, ticket_digest=link.ticket_digest, cause=cause, expires=now + LINK_LIFETIME
    )
    return Draft(streams.links(organisation_id, staff_id), issued)
