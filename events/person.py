"""
A person, folded from their streams: what holds now, and nothing of how to decide.

`evolve` sets fields and never refuses: what it is given has counted.
"""

from datetime import datetime
from typing import Any

from pydantic import Field

from events.credentials import (
    Disabled,
    Enrolled,
    Failures,
    Link,
    NotEnrolled,
    Password,
    SecondFactor,
)
from events.facts import Counted, Fact, State
from events.moments import Moment
from events.staff import (
    AuthenticatorProposed,
    CodeChecked,
    LoggedOut,
    LoginAttempted,
    PasswordLinkIssued,
    PasswordLinkKilled,
    PasswordRehashed,
    PasswordRepeated,
    PasswordResetRequired,
    PasswordSet,
    Role,
    RoleChanged,
    StaffDeactivated,
    StaffDetailsChanged,
    StaffForgotten,
    StaffReactivated,
    StaffRegistered,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from events.streams import organisation_of, subject_id

SUSPENDED_AT = 100
"""So many wrong codes in a row, with right passwords or by links, suspend an authenticator."""

KEPT_DEVICES = 20
KEPT_LINKS = 3

BURNING: frozenset[str] = frozenset(
    {"succeeded", "password_expired", "reset_required", "two_factor_mandatory"}
)
"""Outcomes of a login in which everything that was asked for was right."""


class Person(State):
    """
    Everything that a decision about one person relies on.

    Attributes:
        credential_version: Counts password, factor and activation events; sessions and tickets
            carry it, and die when it moves.
        last_time_step: The highest time-step ever burned; never goes back.
        wrong_passwords: Wrong passwords only.
        wrong_codes: Wrong codes after a right password; a link's are counted apart.
        wrong_link_codes: Wrong codes given by links, over all links.
        failed_logins: Failed logins of whatever cause: what a stranger can see.
        devices: Known devices: those that logged in, or set a password by a link; last the one that
            did or tried last.
        device_failures: Failed logins from each of them.
        links_asked_for: When the newest links that weren't an administrator's were issued.
        proposed: Change and candidate of the newest authenticator that was shown.
        disclosed: How many authenticators were shown, and passwords told to be the current one,
            since the newest way to a new password: a link, or a login with an expired one.
        verified: When both factors in force were last proved by a login or a step-up.
        role_since: When the role was last changed; None: it is the one that they joined with.
    """

    staff_id: str
    organisation_id: str
    username_digest: str
    data_key: str
    details: str
    role: Role
    registered: Moment
    active: bool = True
    forgotten: bool = False
    credential_version: int = 0
    password: Password | None = None
    reset_required: bool = False
    second_factor: SecondFactor = NotEnrolled()
    last_time_step: int = -1
    wrong_passwords: Failures = Failures()
    wrong_codes: Failures = Failures()
    wrong_link_codes: Failures = Failures()
    failed_logins: Failures = Failures()
    devices: tuple[str, ...] = ()
    device_failures: dict[str, Failures] = Field(default_factory=dict)
    link: Link | None = None
    links_asked_for: tuple[Moment, ...] = ()
    proposed: tuple[str, str] | None = None
    disclosed: int = 0
    verified: Moment | None = None
    role_since: Moment | None = None

    @property
    def enrolled(self) -> bool:
        """Whether a second factor is in force."""
        return isinstance(self.second_factor, Enrolled)

    @property
    def suspended(self) -> bool:
        """Whether every code is refused until an administrator disables the authenticator."""
        worst = max(self.wrong_codes.in_a_row, self.wrong_link_codes.in_a_row)
        return self.enrolled and worst >= SUSPENDED_AT


def evolve(person: Person | None, counted: Counted) -> Person | None:
    """
    The person after *counted*, an event of one of their streams.

    Args:
        person: None before StaffRegistered.
        counted: In log order.

    Returns:
        None only where nobody has been registered yet.
    """
    fact = counted.fact
    if isinstance(fact, StaffRegistered):
        return Person(
            staff_id=subject_id(counted.stream),
            organisation_id=organisation_of(counted.stream) or "",
            username_digest=fact.username_digest,
            data_key=fact.data_key,
            details=fact.details,
            role=fact.role,
            registered=counted.at,
        )
    if person is None:
        return None
    changes = _changes(person, fact, counted)
    return person.model_copy(update=changes) if changes else person


def _changes(person: Person, fact: Fact, counted: Counted) -> dict[str, Any]:
    match fact:
        case StaffDetailsChanged():
            # A link that went to the old address is for nobody any more.
            moved = {"link": _spent(person.link)} if "email" in fact.changed else {}
            return moved | {"username_digest": fact.username_digest, "details": fact.details}
        case RoleChanged():
            return {"role": fact.role, "role_since": counted.at}
        case PasswordSet():
            return _credentials_moved(person) | _password_set(person, fact, counted.at)
        case PasswordRehashed():
            return {"password": _rehashed(person.password, fact.credential)}
        case TwoFactorEnrolled():
            return _credentials_moved(person) | {
                "second_factor": Enrolled(
                    authenticator=fact.authenticator, method=fact.method, since=counted.at
                ),
                "last_time_step": max(person.last_time_step, fact.time_step),
                "wrong_codes": Failures(),
                "wrong_link_codes": Failures(),
            }
        case TwoFactorDisabled():
            return _credentials_moved(person) | {
                "second_factor": Disabled(cause=fact.cause, since=counted.at, by=counted.actor),
                "wrong_codes": Failures(),
                "wrong_link_codes": Failures(),
            }
        case PasswordResetRequired():
            return _credentials_moved(person) | {"reset_required": True}
        case StaffDeactivated():
            return _credentials_moved(person) | {"active": False}
        case StaffReactivated():
            return _reactivated(person, counted)
        case StaffForgotten():
            return _credentials_moved(person) | {
                "active": False,
                "forgotten": True,
                "password": None,
                "second_factor": NotEnrolled(),
            }
        case _:
            return _tried(person, fact, counted.at)


def _tried(person: Person, fact: Fact, at: datetime) -> dict[str, Any]:
    """What logins, codes and links change: no credential."""
    match fact:
        case LoginAttempted():
            return _login(person, fact, at)
        case CodeChecked():
            return _code(person, fact, at)
        case PasswordLinkIssued():
            return _link_issued(person, fact, at)
        case PasswordLinkKilled():
            return {"link": _spent(person.link)}
        case AuthenticatorProposed():
            return _disclosed(person) | {"proposed": (fact.change, fact.candidate)}
        case PasswordRepeated():
            return _disclosed(person)
        case LoggedOut() | _:
            return {}


def _credentials_moved(person: Person) -> dict[str, Any]:
    return {
        "credential_version": person.credential_version + 1,
        "link": _spent(person.link),
        "disclosed": 0,
        "verified": None,
    }


def _password_set(person: Person, fact: PasswordSet, at: datetime) -> dict[str, Any]:
    rows_ended = {"device_failures": _rows_ended(person.device_failures)}
    if fact.device is not None:
        rows_ended = _device(person.model_copy(update=rows_ended), fact.device, Failures())
    return rows_ended | {
        "password": Password(credential=fact.credential, since=at),
        "reset_required": False,
        "wrong_passwords": person.wrong_passwords.row_ended(),
        "proposed": None,
    }


def _rows_ended(failures: dict[str, Failures]) -> dict[str, Failures]:
    """Those at another password: a device that was shut out is let in with the new one."""
    return {device: failed.row_ended() for device, failed in failures.items()}


def _disclosed(person: Person) -> dict[str, Any]:
    return {"disclosed": person.disclosed + 1}


def _rehashed(password: Password | None, credential: str) -> Password | None:
    return password and password.model_copy(update={"credential": credential})


def _spent(link: Link | None) -> Link | None:
    return link and link.model_copy(update={"spent": True})


def _reactivated(person: Person, counted: Counted) -> dict[str, Any]:
    second_factor = person.second_factor
    if isinstance(second_factor, Enrolled):
        second_factor = Disabled(cause="reactivated", since=counted.at, by=counted.actor)
    return _credentials_moved(person) | {
        "active": True,
        "password": None,
        "reset_required": False,
        "second_factor": second_factor,
        "wrong_codes": Failures(),
        "wrong_link_codes": Failures(),
    }


def _login(person: Person, fact: LoginAttempted, at: datetime) -> dict[str, Any]:
    if fact.outcome in BURNING:
        changes: dict[str, Any] = {"wrong_passwords": person.wrong_passwords.row_ended()}
        if fact.time_step is not None:
            changes |= {
                "last_time_step": max(person.last_time_step, fact.time_step),
                "wrong_codes": person.wrong_codes.row_ended(),
                "verified": at,
            }
        if fact.outcome == "password_expired":
            changes["disclosed"] = 0
        if fact.outcome == "succeeded" and fact.device:
            changes |= _device(person, fact.device, Failures())
        return changes
    changes = {"failed_logins": person.failed_logins.failed(at)}
    if fact.device:
        failures = person.device_failures.get(fact.device, Failures()).failed(at)
        changes |= _device(person, fact.device, failures)
    if fact.outcome == "wrong_password":
        changes["wrong_passwords"] = person.wrong_passwords.failed(at)
    elif fact.outcome == "wrong_code":
        changes["wrong_codes"] = person.wrong_codes.failed(at)
    return changes


def _device(person: Person, device: str, failures: Failures) -> dict[str, Any]:
    """The newest are kept: by a sequence, as whoever stores a state may sort a mapping's keys."""
    devices = (*(one for one in person.devices if one != device), device)[-KEPT_DEVICES:]
    known = person.device_failures | {device: failures}
    return {"devices": devices, "device_failures": {one: known[one] for one in devices}}


def _code(person: Person, fact: CodeChecked, at: datetime) -> dict[str, Any]:
    accepted, by_link = fact.outcome == "accepted", fact.purpose == "link"
    if accepted and fact.time_step is not None:
        changes: dict[str, Any] = {"last_time_step": max(person.last_time_step, fact.time_step)}
        if by_link:
            return changes | {"wrong_link_codes": person.wrong_link_codes.row_ended()}
        return changes | {"wrong_codes": person.wrong_codes.row_ended(), "verified": at}
    changes = {}
    if by_link and not accepted and person.link and person.link.id == fact.link:
        wrong_codes = person.link.wrong_codes + 1
        changes["link"] = person.link.model_copy(update={"wrong_codes": wrong_codes})
    if fact.outcome == "wrong_code":
        row = "wrong_link_codes" if by_link else "wrong_codes"
        changes[row] = getattr(person, row).failed(at)
    return changes


def _link_issued(person: Person, fact: PasswordLinkIssued, at: datetime) -> dict[str, Any]:
    link = Link(
        id=fact.link, ticket_digest=fact.ticket_digest, cause=fact.cause, expires=fact.expires
    )
    changes: dict[str, Any] = {"link": link, "disclosed": 0}
    if fact.cause in {"asked_for", "mandatory"}:
        changes["links_asked_for"] = (*person.links_asked_for, at)[-KEPT_LINKS:]
    return changes
