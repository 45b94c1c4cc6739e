"""A person's profile: 2FA, logins, history in words."""

from collections.abc import Sequence
from typing import Any

from fastapi.responses import Response

from events.facts import Counted
from events.person import Person
from services.staff.web.answers import PersonAnswer
from services.staff.web.pages import history
from services.staff.web.pages.desk import Desk, Seat, path_id, shown_name
from services.staff.web.unsealing import reasons_of, sources_of
from services.web.pages import words
from services.web.pages.site import Site
from services.web.pages.visit import Visit


def add(site: Site, desk: Desk) -> None:
    """Add the page."""
    base = desk.base

    @site.get("/staff/organisations/{org:uuid}/people/{staff:uuid}")
    @desk.seated
    async def profile(visit: Visit, seat: Seat) -> Response:
        organisation = await desk.organisation(seat, path_id(visit, "org"))
        organisation_id = organisation.organisation_id
        person = await desk.person(organisation_id, path_id(visit, "staff"))
        names = await desk.names(person)
        logins, refused = await _tries(desk, person)
        events, _ = await desk.queries.history(organisation_id, person.staff_id, limit=50)
        reasons = await reasons_of(events, person, base.vault, base.ring.encryption)
        actors = await _actors(desk, organisation_id, events)
        return desk.show(
            visit,
            seat,
            "profile.html",
            at=organisation,
            person=PersonAnswer.of(person, names.get(person.staff_id)),
            name=shown_name(names.get(person.staff_id)),
            myself=person.staff_id == seat.staff_id,
            factor=person.second_factor,
            factor_by=actors.get(getattr(person.second_factor, "by", ""), "an administrator"),
            mandatory=desk.policy(organisation).mandatory_at(visit.now),
            logins=logins,
            refused=refused,
            events=[
                {
                    "at": one.at,
                    "words": history.in_words(one, actors.get(one.actor, "somebody")),
                    "reason": reasons.get(one.id),
                }
                for one in events
            ],
        )


async def _tries(desk: Desk, person: Person) -> list[list[dict[str, Any]]]:
    """Logins, and apart from them what was refused; the newest first, ten of each."""
    base, found = desk.base, []
    for succeeded in (True, False):
        rows, _ = await desk.queries.logins(
            person.organisation_id, person.staff_id, succeeded=succeeded
        )
        sources = await sources_of(rows, person, base.vault, base.ring.encryption)
        found.append(
            [
                {
                    "at": row.at,
                    "words": words.login(row.purpose, row.outcome, two_factor=row.two_factor),
                    "source": words.source(*source),
                }
                for row, source in zip(rows, sources, strict=True)
            ]
        )
    return found


async def _actors(desk: Desk, organisation_id: str, events: Sequence[Counted]) -> dict[str, str]:
    """Who acted, by their name in the events; nobody of another organisation is named."""
    found = {}
    for actor in {one.actor for one in events}:
        kind, _, name = actor.partition("/")
        if kind != "staff":
            found[actor] = f"the program “{name}”" if kind == "service" else "the system"
            continue
        person, _ = await desk.queries.person(organisation_id, name)
        found[actor] = await desk.name(person) if person else "agentOS support"
    return found
