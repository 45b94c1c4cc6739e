"""One visit to a page: what the browser brought, and what it takes away."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from services.web.pages.cookies import (
    FORGERY,
    SESSION,
    Seal,
    clear_cookie,
    cookies_of,
    set_cookie,
)
from services.web.pages.forms import Form
from services.web.plumbing import client_address, request_id

if TYPE_CHECKING:
    from services.web.pages.site import Site


class Visit:
    """A request for one of a site's pages."""

    def __init__(self, request: Request, site: "Site", form: Form) -> None:
        self.request, self.form, self._site = request, form, site
        self.now: datetime = site.now()
        self._brought = cookies_of(request)
        self._cookies: list[Callable[[Response], None]] = []
        self._session_after: str | None = self.session
        self._half = site.forgery.random_half(request)
        self._new_half = False

    @property
    def session(self) -> str | None:
        """The session's token, as the browser has it."""
        return self.cookie(SESSION) or None

    def cookie(self, name: str) -> str:
        """What the browser keeps under that name; empty where it keeps nothing."""
        return self._brought.get(name, "")

    @property
    def source(self) -> str:
        """The caller's address."""
        return client_address(self.request)

    @property
    def user_agent(self) -> str:
        """What the browser calls itself."""
        return self.request.headers.get("user-agent", "")

    @property
    def id(self) -> str:
        """The request's id, which a person can name to whoever helps."""
        return request_id(self.request)

    def query(self, name: str) -> str:
        """What the address says; empty where it says nothing."""
        return self.request.query_params.get(name, "")

    # ---- what the browser keeps -----------------------------------------------------------------

    def keep(
        self,
        name: str,
        value: str,
        *,
        lives: timedelta | None = None,
        same_site: Literal["lax", "strict"] = "lax",
    ) -> None:
        """Set a cookie with the answer."""
        if name == SESSION:
            self._session_after = value
        self._cookies.append(
            lambda response: set_cookie(response, name, value, lives=lives, same_site=same_site)
        )

    def forget(self, name: str) -> None:
        """Clear a cookie with the answer, where the browser has it."""
        if name == SESSION:
            self._session_after = None
        if name in self._brought:
            self._cookies.append(lambda response: clear_cookie(response, name))

    @property
    def seal(self) -> Seal:
        """Seals what forms and cookies carry from one step to the next."""
        return self._site.seal

    def keep_state(self, name: str, state: Any, *, lives: timedelta) -> None:
        """Set a cookie that holds *state*, sealed, and dies after *lives*."""
        sealed = self.seal.seal(name, state, expires=self.now + lives)
        self.keep(name, sealed, lives=lives)

    def state(self, name: str) -> Any | None:
        """What `keep_state` put into the browser; None where nothing good is there."""
        return self.seal.open(name, self.cookie(name), self.now)

    # ---- answers --------------------------------------------------------------------------------

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """The page; where its form is sent back, `form` holds what was typed (never secrets)."""
        return self._site.render(
            template,
            status,
            now=self.now,
            request_id=self.id,
            forgery=self._forgery,
            once=lambda: secrets.token_urlsafe(24),
            **{"error": None, **values},
        )

    def go(self, where: str) -> Response:
        """Send the browser on with GET."""
        return RedirectResponse(where, 303)

    def finish(self, response: Response) -> Response:
        """*response* with the cookies of this visit."""
        if self._new_half and self._half:
            self.keep(FORGERY, self._half)
        for cookie in self._cookies:
            cookie(response)
        return response

    def _forgery(self) -> str:
        """The token for a form on this page; the cookie that it goes with comes along."""
        if self._half is None:
            self._half, self._new_half = self._site.forgery.new_half(), True
        # The form comes back with the cookies as this answer leaves them.
        return self._site.forgery.token(self._half, self._session_after or "")
