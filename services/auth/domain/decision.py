"""What a decision comes to: the events to record, and what it relied on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from events import streams
from events.log.proposal import Draft
from events.person import Person
from events.staff import PasswordLinkIssued
from services.auth.domain.throttle import LINK_LIVES


@dataclass(frozen=True, slots=True)
class Decision:
    """
    A decision.

    Attributes:
        drafts: The events, in order; empty where nothing is to be recorded.
        basis: Other streams that it relied on.
        lapses: When the first fact that it relied on ceases to hold by itself.
    """

    drafts: Sequence[Draft] = ()
    basis: frozenset[str] = field(default_factory=frozenset)
    lapses: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewLink:
    """
    A link that a decision may issue, made ready by the handler.

    Attributes:
        link: A new id.
        ticket_digest: SHA-256 of its ticket.
    """

    link: str
    ticket_digest: str


def account(person: Person) -> str:
    """The stream of what the person is and holds."""
    return streams.account(person.organisation_id, person.staff_id)


def codes(person: Person) -> str:
    """The stream of attempts with the right password."""
    return streams.codes(person.organisation_id, person.staff_id)


def guesses(person: Person) -> str:
    """The stream of attempts with a wrong password."""
    return streams.guesses(person.organisation_id, person.staff_id)


def links(person: Person) -> str:
    """The stream of e-mailed links."""
    return streams.links(person.organisation_id, person.staff_id)


def organisation(person: Person) -> str:
    """The stream of the person's organisation."""
    return streams.organisation(person.organisation_id)


def link_issued(
    person: Person,
    new: NewLink,
    cause: Literal["asked_for", "mandatory"],
    now: datetime,
) -> Draft:
    """A link of *cause* that dies 30 minutes from *now*."""
    fact = PasswordLinkIssued(
        link=new.link, ticket_digest=new.ticket_digest, cause=cause, expires=now + LINK_LIVES
    )
    return Draft(links(person), fact)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of the moments that there are."""
    return min((moment for moment in moments if moment is not None), default=None)
