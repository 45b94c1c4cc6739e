"""Which counted events call for which e-mail: one table, without input or output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from events.credentials import Failures
from events.facts import Counted
from events.organisation import TwoFactorPolicyChanged
from events.person import Person
from events.staff import (
    CodeChecked,
    LoginAttempted,
    PasswordLinkIssued,
    PasswordSet,
    StaffDeactivated,
    StaffDetailsChanged,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)

WRONG_CODES_TOLD: Final = frozenset({3, 10, 50, 100})
"""Which wrong code in a row, after a right password, its owner is told of."""

SUSPENDING: Final = 100
"""Which wrong code in a row suspends the authenticator: of those given by links the one to tell."""

STALE: Final = timedelta(days=7)
"""Older than this, nothing is told any more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """
    An e-mail to be written.

    Attributes:
        template: Its words: ``templates/<template>.txt``.
        to: The person, or their old address.
        link: Id of the password link that goes into it.
        values: What else the words name; nothing personal, nothing secret.
    """

    template: str
    to: Literal["person", "old_address"] = "person"
    link: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def notice(counted: Counted, person: Person | None, now: datetime) -> Notice | None:
    """
    The e-mail that *counted* calls for.

    Args:
        counted: The event.
        person: Whom it is about, or one of those whom it is for, as folded now; None: nobody.
        now: A link that has died by now, and a notice that is a week old, go to nobody.
    """
    if now - counted.at > STALE or person is None or person.forgotten:
        return None
    match counted.fact:
        case PasswordLinkIssued() as fact:
            return _link(fact, person, now)
        case PasswordSet():
            return Notice("password_changed")
        case TwoFactorEnrolled():
            return Notice("authenticator_set_up")
        case TwoFactorDisabled(cause="declined"):
            return Notice("two_factor_declined")
        case TwoFactorDisabled():
            return Notice("two_factor_disabled")
        case StaffDetailsChanged(old_email=str()):
            return Notice("address_changed", to="old_address")
        case StaffDeactivated():
            return Notice("deactivated")
        case TwoFactorPolicyChanged(mandatory=True) as fact:
            return _mandatory(fact, person, counted.at)
        case (
            LoginAttempted(outcome="wrong_code")
            | CodeChecked(outcome="wrong_code", purpose="step_up")
        ):
            return _wrong_code(person.wrong_codes, counted.at)
        case CodeChecked(outcome="wrong_code", purpose="link"):
            return _wrong_link_code(person.wrong_link_codes, counted.at)
        case _:
            return None


def is_for_everyone(counted: Counted) -> bool:
    """Whether *counted* calls for an e-mail to each one of the organisation without 2FA."""
    return isinstance(counted.fact, TwoFactorPolicyChanged) and counted.fact.mandatory


def _mandatory(fact: TwoFactorPolicyChanged, person: Person, at: datetime) -> Notice | None:
    if not person.active or person.enrolled:
        return None
    return Notice("mandatory", values={"effective": fact.effective or at})


def _link(fact: PasswordLinkIssued, person: Person, now: datetime) -> Notice | None:
    newest = person.link is not None and person.link.id == fact.link and not person.link.spent
    if not newest or not person.active or fact.expires <= now:
        return None
    return Notice(f"link_{fact.cause}", link=fact.link, values={"expires": fact.expires})


def _wrong_code(failures: Failures, at: datetime) -> Notice | None:
    which = _which_in_a_row(failures, at)
    if which not in WRONG_CODES_TOLD:
        return None
    template = "authenticator_suspended" if which == SUSPENDING else "wrong_codes"
    return Notice(template, values={"count": which})


def _wrong_link_code(failures: Failures, at: datetime) -> Notice | None:
    which = _which_in_a_row(failures, at)
    if which != SUSPENDING:
        return None
    return Notice("authenticator_suspended_by_links", values={"count": which})


def _which_in_a_row(failures: Failures, at: datetime) -> int | None:
    """Which of the wrong codes in a row came *at*; None where a success has ended that row."""
    row = failures.recent[-failures.in_a_row :] if failures.in_a_row else ()
    if at not in row:
        return None
    return failures.in_a_row - (len(row) - 1 - row.index(at))
