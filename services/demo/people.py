"""People who use the running system: who they are, and their authenticator apps."""

import time
from base64 import b32decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyotp

from services.demo.world import NotShownError

STEP_S = 30


class Authenticator:
    """An authenticator app: gives each code once, the earlier of two good ones first."""

    def __init__(self, secret: str, ahead: timedelta = timedelta(0)) -> None:
        self._totp = pyotp.TOTP(secret.replace(" ", ""))
        self._ahead = ahead
        self.last = -1
        b32decode(self._totp.secret)

    def code(self, ahead: timedelta | None = None) -> str:
        """The next code that a server can accept; waits for the next time-step if it must."""
        while True:
            now = datetime.now(UTC) + (self._ahead if ahead is None else ahead)
            current = int(now.timestamp()) // STEP_S
            step = max(current - 1, self.last + 1)
            nearly_over = step == current - 1 and now.timestamp() % STEP_S > STEP_S - 3
            if step <= current and not nearly_over:
                self.last = step
                return self._totp.generate_otp(step)
            if nearly_over:
                self.last = step
                continue
            time.sleep(0.2)

    def lasting_code(self) -> str:
        """A code that nothing has used, and that stays good for a whole time-step from now."""
        self.last = max(self.last, int(time.time()) // STEP_S - 1)
        return self.code(timedelta(0))

    def wrong(self) -> str:
        """Six digits that are no code of this hour."""
        now = int(datetime.now(UTC).timestamp()) // STEP_S
        near = {self._totp.generate_otp(now + d) for d in range(-3, 140)}
        return next(f"{n:06d}" for n in range(1000) if f"{n:06d}" not in near)


@dataclass(slots=True)
class Somebody:
    """A person of the staff."""

    organisation_id: str
    staff_id: str
    username: str
    email: str
    password: str = ""
    authenticator: Authenticator | None = None
    last_app: Authenticator | None = None
    links_seen: int = 0
    session: str = ""
    device: str | None = None

    def take(self, new: Authenticator | None) -> None:
        """A new authenticator is in force; what the old one's codes burned stays burned."""
        if new and self.last_app:
            new.last = max(new.last, self.last_app.last)
        self.authenticator = self.last_app = new

    @property
    def app(self) -> Authenticator:
        """
        Their authenticator.

        Raises:
            NotShownError: They have none.
        """
        if self.authenticator is None:
            raise NotShownError(f"{self.username} should have an authenticator")
        return self.authenticator

    @property
    def account(self) -> str:
        """Their account's stream."""
        return f"{self.organisation_id}/account/{self.staff_id}"

    @property
    def codes(self) -> str:
        """Their codes' stream."""
        return f"{self.organisation_id}/codes/{self.staff_id}"

    @property
    def guesses(self) -> str:
        """Their guesses' stream."""
        return f"{self.organisation_id}/guesses/{self.staff_id}"

    @property
    def links(self) -> str:
        """Their links' stream."""
        return f"{self.organisation_id}/links/{self.staff_id}"
