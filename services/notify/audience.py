"""To whom an event that is about an organisation is told: one person after another."""

from collections.abc import Sequence

from events.facts import Counted
from events.person import Person
from events.streams import organisation_of
from services.notify.notices import is_for_everyone
from services.notify.ports import PeopleOf


class WithoutTwoFactor:
    """The `Audience` of e-mails: the organisation's people without 2FA."""

    def __init__(self, people: PeopleOf) -> None:
        self._people = people

    async def behind(self, counted: Counted, staff_id: str) -> Sequence[Person]:
        if not is_for_everyone(counted):
            return ()
        organisation_id = organisation_of(counted.stream) or ""
        people, _ = await self._people.people(organisation_id, enrolled=False, after=staff_id)
        return people

    async def one(self, counted: Counted, staff_id: str) -> Person | None:
        person, _ = await self._people.person(organisation_of(counted.stream) or "", staff_id)
        return person
