"""Proving password and code afresh before a grave act, and going back to it."""

from datetime import timedelta

from fastapi.responses import Response

from services.auth.domain.errors import (
    InvalidCredentialsError,
    StepUpUnavailableError,
    TooManyAttemptsError,
)
from services.auth.handlers.step_up import FreshProof
from services.auth.web.pages.ground import PagesGround, caller, log_in_first
from services.web.pages.cookies import DEVICE, SESSION
from services.web.pages.site import Site
from services.web.pages.visit import Visit


def add(site: Site, ground: PagesGround) -> None:
    """Add the pages."""
    service, places = ground.service, ground.places

    @site.get("/step-up")
    async def ask(visit: Visit) -> Response:
        return await _ask(visit, places.own(visit.query("next")) or "/home")

    @site.post("/step-up")
    async def given(visit: Visit) -> Response:
        leads_to = places.own(visit.form.text("next")) or "/home"
        try:
            done = await service.step_ups.step_up(
                visit.session,
                FreshProof(
                    password=visit.form.text("password"),
                    code=visit.form.code() or "",
                    device=visit.cookie(DEVICE) or None,
                    renew=True,
                ),
                caller(visit),
            )
        except TooManyAttemptsError as error:
            return await _ask(visit, leads_to, pause=error.retry_after)
        except StepUpUnavailableError:
            return visit.page("step_up_unavailable.html", 403)
        except InvalidCredentialsError:
            return await _ask(visit, leads_to, refused=True)
        if done.session is not None:
            visit.keep(SESSION, done.session)
        return visit.go(places.address(leads_to))

    async def _ask(
        visit: Visit, leads_to: str, *, refused: bool = False, pause: timedelta | None = None
    ) -> Response:
        try:
            who = await service.sessions.who(visit.session)
        except InvalidCredentialsError:
            return log_in_first(visit, leads_to)
        if not who.session.loaded.person.enrolled:
            return visit.page("step_up_unavailable.html", 403)
        response = visit.page(
            "step_up.html",
            429 if pause else 422 if refused else 200,
            username=who.details.username,
            next=leads_to,
            back=places.address(leads_to.rpartition("/")[0] or "/home"),
            refused=refused,
            pause=pause,
            error=refused or pause is not None,
        )
        if pause is not None:
            response.headers["retry-after"] = str(-(-pause // timedelta(seconds=1)))
        return response
