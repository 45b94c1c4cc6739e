"""
What auth refuses, a sentence each.

A failed login is an event first; `InvalidCredentialsError` is what its caller learns of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from events.staff import Choice


class AuthError(Exception):
    """Never raised itself."""


@dataclass
class TooManyAttemptsError(AuthError):
    """Failed logins on this username, existing or not, pause it."""

    retry_after: timedelta


class InvalidCredentialsError(AuthError):
    """The login failed, or the session doesn't hold; the same for every cause."""


class TicketDeadError(AuthError):
    """The ticket is used, too old, replaced by a newer one, or was for something else."""


class ChangeUsedUpError(TicketDeadError):
    """The change has shown authenticators, or been given the current password, too often."""

    reason = (
        "This has been tried too often: an authenticator was shown, or the current password given,"
        " again and again. Ask for a new link, or log in once more; then scan the first one shown."
    )


class CodeRequiredError(AuthError):
    """An enrolled person who comes by a link gives a current code first."""


class WrongCodeError(AuthError):
    """The code is wrong, or was used already."""


@dataclass
class ChoiceUnavailableError(AuthError):
    """The choice is not, or no longer, on offer."""

    options: Sequence[Choice]


@dataclass
class PasswordRefusedError(AuthError):
    """The new password can't be taken; *reason* says why, for its owner."""

    reason: str


class StepUpUnavailableError(AuthError):
    """A step-up needs an authenticator, and this person has none."""
