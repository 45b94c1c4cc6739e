"""Events of an account in words, for administrators and support."""

from typing import Final

from events.facts import Counted
from events.staff import (
    PasswordRehashed,
    PasswordResetRequired,
    PasswordSet,
    RoleChanged,
    StaffDeactivated,
    StaffDetailsChanged,
    StaffForgotten,
    StaffReactivated,
    StaffRegistered,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)

_CHOICES: Final = {
    "no_thanks": "No Thanks",
    "keep_existing": "Keep My Existing Codes",
    "setup_new": "Setup New Authenticator Codes",
}
_FIELDS: Final = {"username": "username", "email": "e-mail address", "display_name": "name"}


def in_words(counted: Counted, by: str) -> str:
    """
    One sentence.

    Args:
        counted: An event of a person's account.
        by: Who acted, as they are called.
    """
    match counted.fact:
        case StaffRegistered(role=role):
            return f"Registered as {role} by {by}."
        case StaffDetailsChanged(changed=changed):
            return f"{_listed([_FIELDS[one] for one in changed])} changed by {by}."
        case RoleChanged(role=role):
            return f"Role changed to {role} by {by}."
        case PasswordSet(choice=choice, origin=origin):
            how = "by an e-mailed link" if origin == "link" else "because the old one had expired"
            return f"New password set {how}, choosing “{_CHOICES[choice]}”."
        case PasswordRehashed():
            return "The password is now stored in a stronger form; it is the same password."
        case TwoFactorEnrolled():
            return "Two-factor authentication was turned on: an authenticator app was set up."
        case TwoFactorDisabled(cause="declined"):
            return "Two-factor authentication was turned off by choosing “No Thanks”."
        case TwoFactorDisabled():
            return f"Two-factor authentication was disabled by {by}."
        case PasswordResetRequired():
            return f"A password reset was required by {by}."
        case StaffDeactivated():
            return f"Deactivated by {by}."
        case StaffReactivated():
            return f"Reactivated by {by}, without password, authenticator and sessions."
        case StaffForgotten():
            return f"Forgotten by {by}: the personal data of this account can’t be read any more."
        case _:
            return "Something else happened."


def _listed(names: list[str]) -> str:
    text = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "details"
    return text[0].upper() + text[1:]
