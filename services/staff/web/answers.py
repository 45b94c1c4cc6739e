"""The shapes of answers; each carries the position that it was read at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from events.facts import Counted, Position
from events.organisation import Organisation
from events.person import Person
from events.staff import Role
from services.projections.port import CommandRow, Summary
from services.staff.web.unsealing import Names

MEANS: Final = {
    400: "bad-request: at_least or before is no position, or the Idempotency-Key is too short",
    401: "unauthenticated",
    403: "not-permitted, two-factor-required; step-up-required",
    404: "not-found: it isn't there, or is another organisation's",
    422: "invalid",
    503: "not-yet: at_least isn't reached; busy; unavailable; with Retry-After",
}
"""Problems, and what each status means."""

OnOff = Literal["on", "off"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PolicyAnswer(_Answer):
    """
    What holds for everyone in an organisation.

    Attributes:
        mandatory: Whether 2FA is mandatory now.
        mandatory_from: The moment, still ahead, from which it will be.
        max_age_days: How old passwords may grow; null: any age.
    """

    organisation_id: str
    name: str
    mandatory: bool
    mandatory_from: datetime | None
    max_age_days: int | None
    position: str

    @classmethod
    def of(cls, organisation: Organisation, now: datetime, position: Position) -> "PolicyAnswer":
        policy = organisation.policy
        return cls(
            organisation_id=organisation.organisation_id,
            name=organisation.name,
            mandatory=policy.mandatory_at(now),
            mandatory_from=policy.mandatory_from(now),
            max_age_days=policy.max_age_days,
            position=str(position),
        )


class SummaryAnswer(_Answer):
    """
    Who has 2FA and who hasn't, among active people.

    Attributes:
        without_two_factor: Those whom making it mandatory would send a link at their next login.
    """

    organisation_id: str
    active: int
    with_two_factor: int
    without_two_factor: int
    position: str

    @classmethod
    def of(cls, organisation_id: str, summary: Summary, position: Position) -> "SummaryAnswer":
        return cls(
            organisation_id=organisation_id,
            active=summary.active,
            with_two_factor=summary.with_two_factor,
            without_two_factor=summary.without_two_factor,
            position=str(position),
        )


class PersonAnswer(_Answer):
    """
    A person; who they are stands there for sessions, and not for API keys.

    Attributes:
        two_factor_since: When the authenticator in force was set up.
        suspended: After too many wrong codes; an administrator disables 2FA to end it.
        password_set: Whether there is a password; not before an invitation is used.
        reset_required: Whether the password gets them nowhere until they set a new one.
    """

    organisation_id: str
    staff_id: str
    role: Role
    active: bool
    forgotten: bool
    two_factor: OnOff
    two_factor_since: datetime | None
    suspended: bool
    password_set: bool
    reset_required: bool
    username: str | None = None
    email: str | None = None
    display_name: str | None = None

    @classmethod
    def of(cls, person: Person, names: Names | None) -> "PersonAnswer":
        return cls(**_person(person, names))


class ProfileAnswer(PersonAnswer):
    """One person."""

    position: str

    @classmethod
    def at(cls, person: Person, names: Names | None, position: Position) -> "ProfileAnswer":
        return cls(**_person(person, names), position=str(position))


class PeopleAnswer(_Answer):
    """
    People of an organisation, by staff id.

    Attributes:
        next: Ask for what comes after this; null: there is no more.
    """

    people: Sequence[PersonAnswer]
    next: str | None
    position: str


class EventAnswer(_Answer):
    """An event of a person's account; *reason* stands there for sessions alone."""

    at: datetime
    type: str
    actor: str
    position: str
    cause: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, counted: Counted, reason: str | None) -> "EventAnswer":
        return cls(
            at=counted.at,
            type=counted.fact.wire_name,
            actor=counted.actor,
            position=str(counted.position),
            cause=getattr(counted.fact, "cause", None),
            reason=reason,
        )


class HistoryAnswer(_Answer):
    """
    Events of a person's account, newest first.

    Attributes:
        next: Ask for what stands before this; null: there is no more.
    """

    events: Sequence[EventAnswer]
    next: str | None
    position: str


class SentAnswer(_Answer):
    """A command was published."""

    command_id: str


class OutcomeAnswer(_Answer):
    """What became of a command; *pending* also for what is unknown or another organisation's."""

    command_id: str
    outcome: Literal["accepted", "rejected", "pending"] = "pending"
    position: str | None = None
    reason: str | None = None
    detail: str | None = None
    publisher: str | None = None

    @classmethod
    def of(cls, row: CommandRow) -> "OutcomeAnswer":
        return cls(
            command_id=row.command_id,
            publisher=row.publisher,
            outcome=row.outcome,
            position=str(row.position),
            reason=row.reason,
            detail=row.detail,
        )


def _person(person: Person, names: Names | None) -> dict[str, Any]:
    factor = person.second_factor
    return {
        "organisation_id": person.organisation_id,
        "staff_id": person.staff_id,
        "role": person.role,
        "active": person.active,
        "forgotten": person.forgotten,
        "two_factor": "on" if person.enrolled else "off",
        "two_factor_since": factor.since if factor.kind == "enrolled" else None,
        "suspended": person.suspended,
        "password_set": person.password is not None,
        "reset_required": person.reset_required,
        "username": names.username if names else None,
        "email": names.email if names else None,
        "display_name": names.display_name if names else None,
    }
