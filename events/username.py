"""Claims on a username: one holder at a time, decided in the username's own partition."""

from typing import ClassVar

from events.facts import Counted, Fact, State, Uuid
from events.moments import Moment


class UsernameClaimed(Fact):
    """
    A username is kept for a person.

    Attributes:
        organisation_id: Where that person is, or is to be, registered.
        staff_id: The person.
        registration_deadline: After this append time in the organisation's partition, a
            registration (or change of details) that relies on the claim can no longer count.
    """

    wire_name: ClassVar[str] = "twofold.username_claimed.v1"
    organisation_id: Uuid
    staff_id: Uuid
    registration_deadline: Moment


class UsernameReleased(Fact):
    """Free again: its holder took another name, or the registration never counted."""

    wire_name: ClassVar[str] = "twofold.username_released.v1"
    organisation_id: Uuid
    staff_id: Uuid


class Claim(State):
    organisation_id: str
    staff_id: str
    registration_deadline: Moment


def evolve(claim: Claim | None, counted: Counted) -> Claim | None:
    """Who holds the username after *counted*; None: nobody."""
    match counted.fact:
        case UsernameClaimed() as fact:
            return Claim(
                organisation_id=fact.organisation_id,
                staff_id=fact.staff_id,
                registration_deadline=fact.registration_deadline,
            )
        case UsernameReleased():
            return None
        case _:
            return claim
