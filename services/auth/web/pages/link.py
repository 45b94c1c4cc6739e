"""
Coming by an e-mailed link: the ticket leaves the address at once, and GET changes nothing.

So neither histories nor other people's mail scanners spend a link: only the button does.
"""

import re

from fastapi.responses import Response

from services.auth.domain.errors import (
    ChangeUsedUpError,
    CodeRequiredError,
    TicketDeadError,
    WrongCodeError,
)
from services.auth.tickets import DERIVED_LENGTH
from services.auth.web.pages.ground import CHANGE, LIVES, PagesGround, caller, state
from services.web.pages.site import Site
from services.web.pages.visit import Visit

_TICKET = re.compile(rf"[A-Za-z0-9_-]{{{DERIVED_LENGTH}}}")
_WRONG = "That code isn’t right, or was used before."


def add(site: Site, ground: PagesGround) -> None:
    """Add the pages."""
    service = ground.service

    @site.get("/password")
    async def opened(visit: Visit) -> Response:
        kept = state(visit, CHANGE)
        if "link" in kept:
            return visit.page("link_opened.html")
        return visit.go("/password/new") if "change" in kept else lost(visit)

    @site.get("/password/code")
    async def code(visit: Visit) -> Response:
        return visit.page("link_code.html") if "link" in state(visit, CHANGE) else lost(visit)

    @site.post("/password/open")
    async def go_on(visit: Visit) -> Response:
        ticket = state(visit, CHANGE).get("link")
        if ticket is None:
            return lost(visit)
        try:
            opened = await service.changes.open(ticket, visit.form.code(), caller(visit))
        except CodeRequiredError:
            return visit.go("/password/code")
        except WrongCodeError:
            return visit.page("link_code.html", 422, error=_WRONG)
        except TicketDeadError as error:
            return dead(visit, error)
        visit.keep_state(CHANGE, {"change": opened.change, "expired": False}, lives=LIVES)
        return visit.go("/password/new")

    @site.get("/password/open")
    @site.get("/password/two-factor")
    @site.get("/password/finish")
    async def halfway(visit: Visit) -> Response:
        """The address bar names these after a form was sent back."""
        return visit.go("/password")

    # Last: the other paths below /password are no tickets.
    @site.get("/password/{ticket}")
    async def come(visit: Visit) -> Response:
        ticket = visit.request.path_params["ticket"]
        if not _TICKET.fullmatch(ticket):
            return dead(visit)
        visit.keep_state(CHANGE, {"link": ticket}, lives=LIVES)
        response = visit.go("/password")
        response.headers["referrer-policy"] = "no-referrer"
        return response


def lost(visit: Visit) -> Response:
    """The browser brings nothing that tells what is to be changed."""
    return visit.page("link_lost.html", 400)


def dead(visit: Visit, error: TicketDeadError | None = None, *, expired: bool = False) -> Response:
    """The end of a link, or of a change that took too long: what to do next."""
    visit.forget(CHANGE)
    return visit.page(
        "link_dead.html",
        410,
        flow="login" if expired else "link",
        used_up=isinstance(error, ChangeUsedUpError),
    )
