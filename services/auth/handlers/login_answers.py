"""What a login that went well comes to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from events.facts import Position


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """
    A session.

    Attributes:
        session: Its bearer token.
        expires_at: When it ends if it isn't used.
        two_factor: Whether both factors were given.
        device: Ticket that lets this device's tries be counted on their own.
        two_factor_mandatory_from: When 2FA becomes mandatory, where that lies ahead.
    """

    session: str
    expires_at: datetime
    two_factor: bool
    device: str
    position: Position
    two_factor_mandatory_from: datetime | None


@dataclass(frozen=True, slots=True)
class ChangeRequired:
    """The password is too old; *change* opens the change of it."""

    change: str


@dataclass(frozen=True, slots=True)
class LinkSent:
    """Only an e-mailed link leads on."""

    reason: Literal["two_factor_mandatory", "reset_required"]


LoginAnswer = LoggedIn | ChangeRequired | LinkSent
