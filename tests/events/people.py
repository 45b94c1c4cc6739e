"""One person's facts, and the person that they fold to; for tests of the fold."""

from typing import Any

from events import streams
from events.facts import Counted, Fact
from events.person import Person, evolve
from events.staff import (
    CodeChecked,
    LoginAttempted,
    LoginOutcome,
    PasswordLinkIssued,
    PasswordRehashed,
    PasswordRepeated,
    PasswordResetRequired,
    PasswordSet,
    StaffDeactivated,
    StaffReactivated,
    StaffRegistered,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from tests.events import folding
from tests.events.records import later, uuid

ORGANISATION, STAFF, ADMINISTRATOR = uuid(), uuid(), uuid()
ENTRY, LINK, DEVICE = uuid(), uuid(), uuid()
SEALED, DIGEST = "s" * 32, "d" * 64

REGISTERED = StaffRegistered(
    username_digest=DIGEST, data_key=uuid(), details=SEALED, role="administrator"
)
PASSWORD = PasswordSet(credential=ENTRY, choice="no_thanks", origin="link", link=LINK)
ENROLLED = TwoFactorEnrolled(authenticator=ENTRY, method="totp", time_step=100)
REHASHED = PasswordRehashed(credential=LINK)
REPEATED = PasswordRepeated(change=LINK, source=SEALED)
DISABLED = TwoFactorDisabled(cause="administrator", reason=SEALED)
RESET = PasswordResetRequired(reason=SEALED)
DEACTIVATED, REACTIVATED = StaffDeactivated(reason=SEALED), StaffReactivated(reason=SEALED)


def login(outcome: LoginOutcome, **fields: Any) -> LoginAttempted:
    return LoginAttempted(outcome=outcome, source=SEALED, **fields)


def code(purpose: str, outcome: str, **fields: Any) -> CodeChecked:
    return CodeChecked.model_validate(
        {"purpose": purpose, "outcome": outcome, "source": SEALED, **fields}
    )


def link(cause: str = "asked_for", link_id: str = LINK) -> PasswordLinkIssued:
    return PasswordLinkIssued.model_validate(
        {"link": link_id, "ticket_digest": DIGEST, "cause": cause, "expires": later(1800)}
    )


def person(*facts: Fact) -> Person:
    """Somebody who was registered at 0, and *facts* at 1, 2, 3, …"""
    account = streams.account(ORGANISATION, STAFF)
    events: list[Counted] = [
        folding.counted(account, fact, at, actor=f"staff/{ADMINISTRATOR}")
        for at, fact in enumerate([REGISTERED, *facts])
    ]
    folded = folding.fold(evolve, None, *events)
    assert folded is not None
    return folded
