"""Asking for a link by e-mail: the answer is the same for every username."""

from fastapi.responses import Response

from services.auth.web.pages.ground import PagesGround, caller
from services.auth.web.pages.login import LONGEST_USERNAME
from services.web.pages.site import Site
from services.web.pages.visit import Visit


def add(site: Site, ground: PagesGround) -> None:
    """Add the pages."""
    service = ground.service

    @site.get("/forgot-password")
    async def ask(visit: Visit) -> Response:
        return visit.page("forgot.html")

    @site.post("/forgot-password")
    async def asked(visit: Visit) -> Response:
        given = visit.form.line("username")
        if not given or len(given) > LONGEST_USERNAME or not given.isprintable():
            error = "Type your username." if not given else "That can’t be a username."
            return visit.page("forgot.html", 422, error=error)
        service.resets.ask(given, caller(visit))
        return visit.go("/forgot-password/sent")

    @site.get("/forgot-password/sent")
    async def sent(visit: Visit) -> Response:
        return visit.page("forgot_sent.html")
