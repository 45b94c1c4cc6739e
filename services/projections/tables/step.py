"""One counted event, with the states that it moved: what projections fold."""

from dataclasses import dataclass

from events.facts import Counted, State
from events.moments import Moment
from events.organisation import Organisation
from events.person import Person
from events.staff import Role
from events.stranger import Stranger
from events.username import Claim


class SessionState(State):
    """
    A session, folded.

    Attributes:
        role: Its person's when it was opened.
        token_digest: Of the token that it has: its login's, or the last step-up's that renewed it.
        begun: Offset of the login that opened it.
        verified: When both factors were last proved in it; None without 2FA.
        ended: When it was logged out of.
    """

    id: str
    staff_id: str
    organisation_id: str
    role: Role
    token_digest: str
    begun: int
    started: Moment
    two_factor: bool
    credential_version: int
    verified: Moment | None
    ended: Moment | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """
    A counted event between the states before and after it; what it doesn't touch is None.

    Attributes:
        counted: The event.
        was: The person before it.
        person: The person after it.
        organisation: After it.
        claim: On the username of a username's stream, after it.
        stranger: After it.
        session: The session that it opened or changed, after it.
    """

    counted: Counted
    was: Person | None = None
    person: Person | None = None
    organisation: Organisation | None = None
    claim: Claim | None = None
    stranger: Stranger | None = None
    session: SessionState | None = None
