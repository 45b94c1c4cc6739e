"""
A service's pages: templates, and what surrounds every one of them.

A page's handler takes a `Visit` and returns what it answers; it says nothing of headers, cookies'
flags, forged requests or failures, so that none of them can be forgotten.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.web.pages import assets, words
from services.web.pages.cookies import Seal
from services.web.pages.forgery import Forgery
from services.web.pages.forms import Form, read_form
from services.web.pages.visit import Visit
from services.web.problems import Problem, failed, for_error

Page = Callable[[Visit], Awaitable[Response]]
Clock = Callable[[], datetime]

log = structlog.get_logger()

_PERMISSIONS: Final = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
    "hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"
)


class Site:
    """The pages of one service; `routes` are what its application takes in."""

    def __init__(
        self,
        *,
        package: str,
        url: str,
        assets_path: str,
        start: str,
        key: Callable[[str], bytes],
        now: Clock,
        also: Sequence[str] = (),
        problem_of: Callable[[Exception], Problem | None] = for_error,
    ) -> None:
        """
        Args:
            package: Its folder ``templates`` holds this service's templates.
            url: Where people reach the service.
            assets_path: Where the stylesheet is, as ``/assets``: the other service has its own.
            start: The path that its pages begin at.
            key: The key ring's ``derive``.
            now: The clock that decisions see.
            also: Addresses of services that forms lead on to (in production it is the same origin).
            problem_of: What the service's own errors are answered with, where a page has no words.
        """
        self.url, self.now, self._problem_of = url.rstrip("/"), now, problem_of
        self.origin = _origin(url)
        self.seal = Seal(key("pages/seal"))
        self.forgery = Forgery(key("pages/forgery"), self.origin)
        self.routes: list[BaseRoute] = [
            Route(f"{assets_path}/{{digest}}/{{name}}", assets.serve, include_in_schema=False)
        ]
        self._headers = {
            "content-security-policy": _policy(self.origin, also),
            "referrer-policy": "same-origin",  # With no-referrer, forms' Origin would be "null".
            "permissions-policy": _PERMISSIONS,
            "content-language": "en-GB",
        }
        loaders = [PackageLoader(package), PackageLoader("services.web.pages")]
        self._templates = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(words.FILTERS)
        self._templates.globals["first_page"] = start
        self._templates.globals["asset"] = lambda name: (
            f"{assets_path}/{assets.assets()[name].digest}/{name}"
        )

    def get(self, path: str) -> Callable[[Page], Page]:
        """Answer GET *path* with the page."""
        return self._route(path, "GET")

    def post(self, path: str) -> Callable[[Page], Page]:
        """Answer POST *path*, a form that one of our pages held, with the page."""
        return self._route(path, "POST")

    def render(self, template: str, status: int, **values: Any) -> Response:
        """The page *template* makes of *values*."""
        html = self._templates.get_template(template).render(values)
        return HTMLResponse(html, status, self._headers)

    def problem(self, visit: Visit, problem: Problem) -> Response:
        """The page that says *problem*."""
        response = visit.page("problem.html", problem.status, problem=problem.name)
        response.headers.update(problem.headers)
        return response

    def add_to(self, app: FastAPI) -> None:
        """Let *app* answer with the pages, also where a browser asks for what isn't there."""
        app.router.routes.extend(self.routes)
        before = app.exception_handlers[HTTPException]

        async def missing(request: Request, error: Exception) -> Response:
            asks_for_page = "text/html" in request.headers.get("accept", "")
            if asks_for_page and isinstance(error, HTTPException) and error.status_code == 404:
                visit = Visit(request, self, Form({}))
                return visit.finish(self.problem(visit, Problem(404, "not-found", "")))
            return await before(request, error)  # type: ignore[no-any-return, misc]

        app.add_exception_handler(HTTPException, missing)

    def _route(self, path: str, method: str) -> Callable[[Page], Page]:
        def add(page: Page) -> Page:
            async def answer(request: Request) -> Response:
                return await self._answer(request, page)

            self.routes.append(Route(path, answer, methods=[method], include_in_schema=False))
            return page

        return add

    async def _answer(self, request: Request, page: Page) -> Response:
        visit = Visit(request, self, Form({}))
        try:
            if request.method == "POST":
                visit = Visit(request, self, await read_form(request))
                self.forgery.check(request, visit.form.text("forgery"))
            elif _other_name_of(self.url, request.headers.get("host", "")):
                query = f"?{request.url.query}" if request.url.query else ""
                return RedirectResponse(f"{self.url}{request.url.path}{query}", 307)
            response = await page(visit)
        except Exception as error:
            problem = self._problem_of(error)
            if problem is None:
                log.exception("request.failed", method=request.method)
                problem = failed()
            response = self.problem(visit, problem)
        return visit.finish(response)


_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def _other_name_of(url: str, host: str) -> bool:
    """
    Whether *host* is this very machine by another name than the one in *url*.

    Typed by developers alone; cookies and the Origin of forms wouldn't fit. Elsewhere the Host
    header decides nothing: what stands behind a proxy may see any.
    """
    try:
        names = {urlsplit(url).hostname, urlsplit(f"//{host}").hostname}
    except ValueError:  # No name at all, such as "[".
        return False
    return len(names) == 2 and names <= _LOOPBACK


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _policy(own: str, also: Sequence[str]) -> str:
    """
    The Content-Security-Policy of every page: our own files alone.

    Browsers hold redirects that answer a form to form-action too, hence *also*.
    """
    others = sorted({_origin(url) for url in also} - {own})
    return "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self'",
            " ".join(("form-action 'self'", *others)),
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
