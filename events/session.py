"""When a session holds: pure, and the one place where both services ask."""

from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from events.organisation import Organisation
from events.person import Person
from events.staff import Role

IDLE: Final = timedelta(minutes=30)
"""How long a session holds after it was last used."""

ABSOLUTE: Final = timedelta(hours=10)
"""How long a session holds at most."""

STEP_UP: Final = timedelta(minutes=10)
"""How long a step-up (or a login with both factors) counts as fresh."""

Ended = Literal[
    "logged_out", "deactivated", "credentials_changed", "role_changed", "too_old", "idle",
    "two_factor_mandatory",
]  # fmt: skip


class SessionFacts(Protocol):
    """What is known of a session; `services.projections.port.Session` is one."""

    @property
    def staff_id(self) -> str:
        """Whose it is."""

    @property
    def role(self) -> Role:
        """What it was opened as."""

    @property
    def started(self) -> datetime:
        """When it was opened."""

    @property
    def two_factor(self) -> bool:
        """Whether it was opened with both factors."""

    @property
    def credential_version(self) -> int:
        """The person's when it was opened."""

    @property
    def ended(self) -> datetime | None:
        """When it was logged out of."""

    @property
    def last_seen(self) -> datetime:
        """When it was last used."""


class PersonFacts(Protocol):
    """A person with their organisation; `services.projections.port.LoadedPerson` is one."""

    @property
    def person(self) -> Person:
        """The person, as folded."""

    @property
    def organisation(self) -> Organisation:
        """Their organisation, as folded."""


def why_ended(session: SessionFacts, loaded: PersonFacts, now: datetime) -> Ended | None:
    """
    Why *session* doesn't hold any more; None while it does.

    Args:
        session: As the log and its last use tell it.
        loaded: Its person and organisation, out of the same snapshot.
        now: Aware, by the clock that decisions see.
    """
    person = loaded.person
    if session.ended is not None:
        return "logged_out"
    if not person.active or session.staff_id != person.staff_id:
        return "deactivated"
    if session.credential_version != person.credential_version:
        return "credentials_changed"
    if session.role != person.role or _is_older(session, person.role_since):
        return "role_changed"  # What a token opens never grows, nor comes back with a role.
    if now - session.started >= ABSOLUTE:
        return "too_old"
    if now - session.last_seen >= IDLE:
        return "idle"
    policy = loaded.organisation.policy
    if not session.two_factor and (
        policy.mandatory_at(now) or _is_older(session, policy.was_mandatory)
    ):
        return "two_factor_mandatory"
    return None


def _is_older(session: SessionFacts, change: datetime | None) -> bool:
    return change is not None and session.started < change


def expires_at(session: SessionFacts) -> datetime:
    """When *session* ends, if it isn't used any more."""
    return min(session.last_seen + IDLE, session.started + ABSOLUTE)


def is_fresh(verified: datetime | None, now: datetime) -> bool:
    """Whether both factors, proved at *verified*, were proved recently enough for a grave act."""
    return verified is not None and now - verified < STEP_UP
