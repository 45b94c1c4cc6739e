"""Questions about an organisation's people."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from events import streams
from events.facts import Position
from events.person import Person
from services.staff.web import callers
from services.staff.web.answers import (
    MEANS,
    EventAnswer,
    HistoryAnswer,
    OnOff,
    PeopleAnswer,
    PersonAnswer,
    ProfileAnswer,
)
from services.staff.web.ground import Ground
from services.staff.web.questions import AtLeast, Before, Id, position_of, reached
from services.staff.web.unsealing import names_of, reasons_of
from services.web.bodies import StrictRoute
from services.web.documented import BEARER, problems
from services.web.problems import Problem

PAGE = 200
EVENTS = 100


def routes(ground: Ground) -> APIRouter:
    """The routes."""
    router = APIRouter(
        prefix="/api/organisations/{organisation_id}/staff",
        route_class=StrictRoute,
        tags=["people"],
        dependencies=[BEARER],
        responses=problems(MEANS, 400, 401, 403, 404, 422, 503),
    )
    queries = ground.queries

    async def somebody(organisation_id: str, staff_id: str) -> tuple[Person, Position]:
        person, position = await queries.person(organisation_id, staff_id)
        if person is None:
            raise callers.not_found()
        return person, position

    @router.get("")
    async def people(
        request: Request,
        organisation_id: Id,
        two_factor: OnOff | None = None,
        after: Annotated[str, Query(pattern=rf"^({streams.UUID})?$")] = "",
        at_least: AtLeast = None,
    ) -> PeopleAnswer:
        """People, with 2FA, without it, or all."""
        caller = await callers.who_calls(request, ground)
        callers.see(caller, organisation_id, "read")
        await reached(at_least, queries)
        organisation, _ = await queries.organisation(organisation_id)
        if organisation is None:
            raise callers.not_found()
        enrolled = None if two_factor is None else two_factor == "on"
        found, position = await queries.people(
            organisation_id, enrolled=enrolled, after=after, limit=PAGE
        )
        names = (
            {} if caller.api_key else await names_of(found, ground.vault, ground.ring.encryption)
        )
        return PeopleAnswer(
            people=[PersonAnswer.of(person, names.get(person.staff_id)) for person in found],
            next=found[-1].staff_id if len(found) == PAGE else None,
            position=str(position),
        )

    @router.get("/{staff_id}")
    async def profile(
        request: Request, organisation_id: Id, staff_id: Id, at_least: AtLeast = None
    ) -> ProfileAnswer:
        """One person."""
        caller = await callers.who_calls(request, ground)
        callers.see(caller, organisation_id, "read")
        await reached(at_least, queries)
        person, position = await somebody(organisation_id, staff_id)
        names = (
            {} if caller.api_key else await names_of([person], ground.vault, ground.ring.encryption)
        )
        return ProfileAnswer.at(person, names.get(staff_id), position)

    @router.get("/{staff_id}/history")
    async def history(
        request: Request,
        organisation_id: Id,
        staff_id: Id,
        before: Before = None,
        at_least: AtLeast = None,
    ) -> HistoryAnswer:
        """What happened to a person's account."""
        caller = await callers.who_calls(request, ground)
        callers.see(caller, organisation_id, "audit")
        await reached(at_least, queries)
        person, here = await somebody(organisation_id, staff_id)
        found, position = await queries.history(
            organisation_id, staff_id, before=_offset(before, here), limit=EVENTS
        )
        reasons = (
            {}
            if caller.api_key
            else await reasons_of(found, person, ground.vault, ground.ring.encryption)
        )
        return HistoryAnswer(
            events=[EventAnswer.of(counted, reasons.get(counted.id)) for counted in found],
            next=str(found[-1].position) if len(found) == EVENTS else None,
            position=str(position),
        )

    return router


def _offset(before: str | None, here: Position) -> int | None:
    """
    What offset *before* is, in the history that was read at *here*.

    Raises:
        Problem: 400 where it is no position, 404 where it is one of another history.
    """
    position = position_of(before, "before")
    if position is None:
        return None
    if (position.generation, position.partition) != (here.generation, here.partition):
        raise Problem(404, "not-found", "before is a position of another history.")
    return min(position.offset, here.offset + 1)
