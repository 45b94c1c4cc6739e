"""You are logged in: who, since when, how, and what happened lately; logging out."""

import contextlib
from typing import Any

from fastapi.responses import Response

from events.session import ABSOLUTE
from services.auth.domain.errors import InvalidCredentialsError
from services.auth.handlers.activity import Activity
from services.auth.web.pages.ground import PagesGround, caller, log_in_first
from services.web.pages import words
from services.web.pages.cookies import SESSION
from services.web.pages.site import Site
from services.web.pages.visit import Visit


def add(site: Site, ground: PagesGround) -> None:
    """Add the pages."""
    service, places = ground.service, ground.places

    @site.get("/home")
    async def home(visit: Visit) -> Response:
        try:
            who = await service.sessions.who(visit.session)
        except InvalidCredentialsError:
            return log_in_first(visit, "/home")
        session, loaded = who.session.session, who.session.loaded
        logins, refused = await ground.activities.latest(loaded)
        leads = loaded.person.role in {"administrator", "support"}
        return visit.page(
            "home.html",
            name=who.details.display_name,
            username=who.details.username,
            organisation=loaded.organisation.name,
            since=session.started,
            ends=session.started + ABSOLUTE,
            two_factor=session.two_factor,
            mandatory_from=None if session.two_factor else who.two_factor_mandatory_from,
            logins=[_line(one) for one in logins],
            refused=[_line(one) for one in refused],
            staff_pages=places.address("/staff") if leads else None,
        )

    @site.get("/logout")
    async def not_yet(visit: Visit) -> Response:
        return visit.go("/home")

    @site.post("/logout")
    async def logout(visit: Visit) -> Response:
        everywhere = visit.form.text("everywhere") == "yes"
        with contextlib.suppress(InvalidCredentialsError):  # It was over already: as was wished.
            await service.sessions.log_out(visit.session, caller(visit), everywhere=everywhere)
        visit.forget(SESSION)
        response = visit.go(f"/login?notice=logged-out{'-everywhere' if everywhere else ''}")
        # Cookies stay: the device's own lane is one of them.
        response.headers["clear-site-data"] = '"cache", "storage"'
        return response


def _line(one: Activity) -> dict[str, Any]:
    return {
        "at": one.at,
        "words": words.login(one.purpose, one.outcome, two_factor=one.two_factor),
        "source": words.source(one.address, one.user_agent),
    }
