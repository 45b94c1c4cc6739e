"""What somebody logs in with, and the tries with it that failed: parts of a person's state."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field

from events.facts import State
from events.moments import Moment

KEPT_FAILURES = 20
"""How many moments of failed tries a fold keeps, newest last: enough for the longest pause."""


class NotEnrolled(State):
    kind: Literal["not_enrolled"] = "not_enrolled"


class Enrolled(State):
    kind: Literal["enrolled"] = "enrolled"
    authenticator: str
    method: Literal["totp"]
    since: Moment


class Disabled(State):
    kind: Literal["disabled"] = "disabled"
    cause: Literal["declined", "administrator", "reactivated"]
    since: Moment
    by: str


SecondFactor = Annotated[NotEnrolled | Enrolled | Disabled, Field(discriminator="kind")]


class Password(State):
    credential: str
    since: Moment


class Failures(State):
    """
    Tries that failed.

    Attributes:
        in_a_row: How many since the last success.
        recent: When the newest of them were, oldest first, at most `KEPT_FAILURES`.
    """

    in_a_row: int = 0
    recent: tuple[Moment, ...] = ()

    def failed(self, at: datetime) -> Self:
        """One more."""
        recent = (*self.recent, at)[-KEPT_FAILURES:]
        return self.model_copy(update={"in_a_row": self.in_a_row + 1, "recent": recent})

    def beside(self, other: "Failures") -> Self:
        """With those of *other* among the recent ones; the row is this one's own."""
        recent = tuple(sorted((*self.recent, *other.recent))[-KEPT_FAILURES:])
        return self.model_copy(update={"recent": recent})

    def row_ended(self) -> Self:
        """A success: the row is over; when the failures were is still so."""
        return self.model_copy(update={"in_a_row": 0})


class Link(State):
    """
    The newest e-mailed link.

    Attributes:
        wrong_codes: Given by this link, those that were used before included.
        spent: Its password is set, it was killed, or the credentials moved since.
    """

    id: str
    ticket_digest: str
    cause: str
    expires: Moment
    wrong_codes: int = 0
    spent: bool = False
