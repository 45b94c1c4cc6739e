"""Logging in: a username, then password and code together."""

from datetime import timedelta
from typing import Any, Final, Literal

from fastapi.responses import Response

from services.auth.domain.errors import (
    InvalidCredentialsError,
    TicketDeadError,
    TooManyAttemptsError,
)
from services.auth.handlers.login import FinishLogin
from services.auth.handlers.login_answers import ChangeRequired, LinkSent, LoggedIn
from services.auth.tickets import DEVICE_LIVES, LOGIN_LIVES
from services.auth.web.pages.ground import CHANGE, LIVES, LOGIN, PagesGround, caller, state
from services.web.pages.cookies import DEVICE, SESSION
from services.web.pages.site import Site
from services.web.pages.visit import Visit

LONGEST_USERNAME: Final = 320

_NOTICES: Final = {
    "logged-out": "You are logged out.",
    "logged-out-everywhere": "You are logged out, here and everywhere else.",
    "session-over": "Your session is over. Please log in again.",
    "too-long": "This took too long. Please start again.",
}


def add(site: Site, ground: PagesGround) -> None:
    """Add the pages."""
    pages = _Pages(ground)
    site.get("/")(pages.start)
    site.get("/login")(pages.username)
    site.post("/login")(pages.username_given)
    site.get("/login/password")(pages.credentials)
    site.post("/login/password")(pages.credentials_given)
    site.get("/login/link-sent")(pages.link_sent)


class _Pages:
    def __init__(self, ground: PagesGround) -> None:
        self._service, self._places = ground.service, ground.places

    async def start(self, visit: Visit) -> Response:
        return visit.go("/home" if visit.session else "/login")

    async def username(self, visit: Visit) -> Response:
        leads_to = self._places.own(visit.query("next"))
        notice = _NOTICES.get(visit.query("notice"))
        if visit.session and not notice:
            try:
                await self._service.sessions.live(visit.session)
            except InvalidCredentialsError:
                visit.forget(SESSION)
            else:
                return visit.go(self._places.address(leads_to or "/home"))
        return visit.page("login.html", notice=notice, next=leads_to)

    async def username_given(self, visit: Visit) -> Response:
        given = visit.form.line("username")
        leads_to = self._places.own(visit.form.text("next"))
        if not given or len(given) > LONGEST_USERNAME or not given.isprintable():
            error = "Type your username." if not given else "That can’t be a username."
            return visit.page("login.html", 422, notice=None, next=leads_to, error=error)
        kept = {"login": self._service.logins.start(given), "username": given, "next": leads_to}
        visit.keep_state(LOGIN, kept, lives=LOGIN_LIVES)
        return visit.go("/login/password")

    async def credentials(self, visit: Visit) -> Response:
        kept = state(visit, LOGIN)
        if "login" not in kept:
            return visit.go("/login")
        return _second_screen(visit, kept)

    async def credentials_given(self, visit: Visit) -> Response:
        kept = state(visit, LOGIN)
        if "login" not in kept:
            return visit.go("/login?notice=too-long")
        given = FinishLogin(
            login=kept["login"],
            password=visit.form.text("password"),
            code=visit.form.code(),
            device=visit.cookie(DEVICE) or None,
        )
        try:
            answer = await self._service.logins.finish(given, caller(visit))
        except TicketDeadError:
            visit.forget(LOGIN)
            return visit.go("/login?notice=too-long")
        except TooManyAttemptsError as error:
            return _second_screen(visit, kept, pause=error.retry_after)
        except InvalidCredentialsError:
            return _second_screen(visit, kept, refused=True)
        match answer:
            case LoggedIn():
                visit.forget(LOGIN)
                visit.keep(SESSION, answer.session)
                visit.keep(DEVICE, answer.device, lives=DEVICE_LIVES, same_site="strict")
                leads_to = self._places.own(kept.get("next") or "") or "/home"
                return visit.go(self._places.address(leads_to))
            case ChangeRequired():
                opened = await self._service.changes.open(answer.change, None, caller(visit))
                visit.forget(LOGIN)
                visit.keep_state(CHANGE, {"change": opened.change, "expired": True}, lives=LIVES)
                return visit.go("/password/new")
            case LinkSent():
                visit.keep_state(LOGIN, {"sent": answer.reason}, lives=LOGIN_LIVES)
                return visit.go("/login/link-sent")

    async def link_sent(self, visit: Visit) -> Response:
        reason: Literal["two_factor_mandatory", "reset_required"] | None
        reason = state(visit, LOGIN).get("sent")
        if reason is None:
            return visit.go("/login")
        return visit.page("link_sent.html", reason=reason)


def _second_screen(
    visit: Visit, kept: dict[str, Any], *, refused: bool = False, pause: timedelta | None = None
) -> Response:
    """The same page for everybody; what was wrong is never told apart."""
    status = 429 if pause else 422 if refused else 200
    response = visit.page(
        "credentials.html",
        status,
        username=kept["username"],
        refused=refused,
        pause=pause,
        error=refused or pause is not None,
    )
    if pause is not None:
        response.headers["retry-after"] = str(-(-pause // timedelta(seconds=1)))
    return response
