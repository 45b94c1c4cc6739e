"""What became of a command: nothing is shown as done before it is."""

import asyncio
import re
from typing import Final

from fastapi.responses import Response

from events.streams import UUID
from services.projections.port import CommandRow
from services.staff.web.pages.desk import Desk, Seat, path_id
from services.web.door import make_way
from services.web.pages.site import Site
from services.web.pages.visit import Visit

_PATIENCE_S: Final = 1.5
_STEP_S: Final = 0.05
_ABOUT: Final = re.compile(
    rf"/staff/organisations/(?P<organisation>{UUID})(?:/people/(?P<staff>{UUID}))?"
)


def add(site: Site, desk: Desk) -> None:
    """Add the page."""

    @site.get("/staff/commands/{command:uuid}")
    @desk.seated
    async def outcome(visit: Visit, seat: Seat) -> Response:
        command_id = path_id(visit, "command")
        row = await _wait(desk, command_id, seat)
        back = desk.ground.places.own(visit.query("back")) or "/staff"
        return desk.show(
            visit,
            seat,
            "outcome.html",
            outcome=row.outcome if row else "pending",
            command=row.name if row else "",
            detail=row.detail if row else None,
            reason=row.reason if row else None,
            back=back,
            about=await _about(desk, seat, back),
            again=str(visit.request.url.path)
            + (f"?{visit.request.url.query}" if visit.request.url.query else ""),
        )


async def _about(desk: Desk, seat: Seat, back: str) -> str | None:
    """Whom, or which organisation, the page that one came from is about."""
    found = _ABOUT.fullmatch(back)
    if found is None or not seat.caller.sees(found["organisation"]):
        return None
    if found["staff"] is None:
        organisation, _ = await desk.queries.organisation(found["organisation"])
        return organisation.name if organisation else None
    person, _ = await desk.queries.person(found["organisation"], found["staff"])
    return await desk.name(person) if person else None


async def _wait(desk: Desk, command_id: str, seat: Seat) -> CommandRow | None:
    """What became of it as soon as that is known; None after a moment: most take less than that."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _PATIENCE_S
    while True:
        row = await desk.ground.commands.outcome(command_id, seat.caller)
        if row is not None or loop.time() > end:
            return row
        make_way()
        await asyncio.sleep(_STEP_S)
