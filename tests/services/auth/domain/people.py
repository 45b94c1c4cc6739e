"""People in whatever state a rule is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from events.credentials import Enrolled, Failures, Link, Password
from events.organisation import Policy
from events.person import Person

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ORGANISATION = "00000000-0000-4000-8000-000000000010"
STAFF = "00000000-0000-4000-8000-00000000000a"
LINK = "00000000-0000-4000-8000-0000000000aa"
DEVICE = "00000000-0000-4000-8000-0000000000dd"
SEALED = "s" * 20
STEP = 1000
OPTIONAL, MANDATORY = Policy(), Policy(mandatory=True)


def person(**changes: Any) -> Person:
    """Somebody with a password and without 2FA."""
    told: dict[str, Any] = {
        "staff_id": STAFF,
        "organisation_id": ORGANISATION,
        "username_digest": "0" * 64,
        "data_key": STAFF,
        "details": SEALED,
        "role": "staff",
        "registered": NOW,
        "password": Password(credential=STAFF, since=NOW - timedelta(days=10)),
    }
    return Person(**(told | changes))


def enrolled(**changes: Any) -> Person:
    """The same with an authenticator, whose last code was of the time-step before `STEP`."""
    factor = Enrolled(authenticator=STAFF, method="totp", since=NOW)
    return person(**({"second_factor": factor, "last_time_step": STEP - 1} | changes))


def failures(count: int, *, ago: timedelta = timedelta(0), in_a_row: int | None = None) -> Failures:
    """So many failures, the newest *ago*."""
    recent = tuple(NOW - ago for _ in range(min(count, 20)))
    return Failures(in_a_row=count if in_a_row is None else in_a_row, recent=recent)


def link(**changes: Any) -> Link:
    told: dict[str, Any] = {
        "id": LINK,
        "ticket_digest": "1" * 64,
        "cause": "asked_for",
        "expires": NOW + timedelta(minutes=30),
    }
    return Link(**(told | changes))
