"""Events of an account in words."""

from datetime import UTC, datetime

import pytest

from events.facts import Counted, Fact, Position
from events.staff import (
    PasswordRehashed,
    PasswordResetRequired,
    PasswordSet,
    StaffDetailsChanged,
    StaffRegistered,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from services.staff.web.pages.history import in_words

UUID = "7d0c5f4e-0000-4000-8000-00000000000a"
DIGEST = "0" * 64
SEALED = "A" * 40


def counted(fact: Fact) -> Counted:
    return Counted(
        id=UUID,
        stream=f"{UUID}/account/{UUID}",
        fact=fact,
        at=datetime(2026, 11, 24, tzinfo=UTC),
        actor=f"staff/{UUID}",
        digest=DIGEST,
        position=Position(UUID, 0, 1),
        correlation_id="request",
        causation_id=None,
    )


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (
            StaffRegistered(
                username_digest=DIGEST, data_key=UUID, details=SEALED, role="administrator"
            ),
            "Registered as administrator by Ada.",
        ),
        (
            StaffDetailsChanged(
                username_digest=DIGEST, details=SEALED, changed=["username", "email"]
            ),
            "Username and e-mail address changed by Ada.",
        ),
        (
            PasswordRehashed(credential=UUID),
            "The password is now stored in a stronger form; it is the same password.",
        ),
        (
            PasswordSet(credential=UUID, choice="no_thanks", origin="link", link=UUID),
            "New password set by an e-mailed link, choosing “No Thanks”.",
        ),
        (
            PasswordSet(credential=UUID, choice="keep_existing", origin="expired"),
            "New password set because the old one had expired, choosing “Keep My Existing Codes”.",
        ),
        (
            TwoFactorEnrolled(authenticator=UUID, method="totp", time_step=1),
            "Two-factor authentication was turned on: an authenticator app was set up.",
        ),
        (
            TwoFactorDisabled(cause="declined"),
            "Two-factor authentication was turned off by choosing “No Thanks”.",
        ),
        (
            TwoFactorDisabled(cause="administrator", reason=SEALED),
            "Two-factor authentication was disabled by Ada.",
        ),
        (PasswordResetRequired(reason=SEALED), "A password reset was required by Ada."),
    ],
)
def test_says_what_happened(fact: Fact, words: str) -> None:
    assert in_words(counted(fact), "Ada") == words
