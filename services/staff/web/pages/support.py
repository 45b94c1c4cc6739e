"""Where to begin: support finds an organisation, an administrator has one."""

from fastapi.responses import Response

from services.staff.web.pages.desk import Desk, Seat
from services.web.pages.site import Site
from services.web.pages.visit import Visit

MOST = 10_000


def add(site: Site, desk: Desk) -> None:
    """Add the pages."""

    @site.get("/staff")
    @desk.seated
    async def start(visit: Visit, seat: Seat) -> Response:
        if seat.is_support:
            return visit.go("/staff/organisations")
        return visit.go(f"/staff/organisations/{seat.organisation_id}/people")

    @site.get("/staff/organisations")
    @desk.seated
    async def organisations(visit: Visit, seat: Seat) -> Response:
        if not seat.is_support:
            return visit.go("/staff")
        wanted = visit.query("q").strip()
        found = [
            (one, desk.policy(one))
            for one in await desk.queries.organisations(MOST)
            if wanted.casefold() in one.name.casefold()
        ]
        return desk.show(visit, seat, "organisations.html", found=found[:200], q=wanted)
