"""People of an organisation: who has 2FA and who hasn't."""

from collections.abc import Sequence

from fastapi.responses import Response

from events.person import Person
from services.staff.web.answers import PersonAnswer
from services.staff.web.pages.desk import Desk, Seat, path_id
from services.web.pages.site import Site
from services.web.pages.visit import Visit

MOST = 2_000
_AT_ONCE = 200


def add(site: Site, desk: Desk) -> None:
    """Add the page."""

    @site.get("/staff/organisations/{org:uuid}/people")
    @desk.seated
    async def people(visit: Visit, seat: Seat) -> Response:
        organisation = await desk.organisation(seat, path_id(visit, "org"))
        two_factor, wanted = visit.query("two_factor"), visit.query("q").strip()
        enrolled = {"on": True, "off": False}.get(two_factor)
        found = await _all(desk, organisation.organisation_id, enrolled)
        names = await desk.names(*found)
        shown = [
            answer
            for person in found
            for answer in [PersonAnswer.of(person, names.get(person.staff_id))]
            if _matches(answer, wanted)
        ]
        shown.sort(key=lambda one: (not one.active, (one.display_name or "\uffff").casefold()))
        summary, _ = await desk.queries.summary(organisation.organisation_id)
        return desk.show(
            visit,
            seat,
            "people.html",
            at=organisation,
            people=shown[:_AT_ONCE],
            count=len(shown),
            more=len(found) == MOST or len(shown) > _AT_ONCE,
            summary=summary,
            two_factor=two_factor if enrolled is not None else "",
            q=wanted,
        )


async def _all(desk: Desk, organisation_id: str, enrolled: bool | None) -> Sequence[Person]:
    """Up to `MOST`: names are sealed, so that they are searched and sorted here."""
    found: list[Person] = []
    while len(found) < MOST:
        after = found[-1].staff_id if found else ""
        more, _ = await desk.queries.people(
            organisation_id, enrolled=enrolled, after=after, limit=_AT_ONCE
        )
        found.extend(more)
        if len(more) < _AT_ONCE:
            break
    return found


def _matches(person: PersonAnswer, wanted: str) -> bool:
    fields = (person.display_name, person.username, person.email)
    return any(wanted.casefold() in (field or "").casefold() for field in fields)
