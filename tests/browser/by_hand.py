"""A browser by hand: every page that there is, cookies and forms."""

import re
from types import SimpleNamespace
from typing import Any

import httpx
from starlette.routing import Route

from services.auth.web.pages import PagesGround as AuthGround
from services.auth.web.pages import pages as auth_pages
from services.staff.web.pages import PagesGround as StaffGround
from services.staff.web.pages import pages as staff_pages
from services.web.pages.places import Places
from tests.browser.people import System
from tests.browser.preview import NOW

_TOKEN = re.compile(r'name="forgery" value="([^"]+)"')
_UUID = "7d0c5f4e-0000-4000-8000-00000000000a"


def routes(method: str) -> list[tuple[str, str]]:
    """Every page of both services: which one, and a path."""
    places = Places("http://auth", "http://staff")

    def derive(purpose: str) -> bytes:
        return purpose.encode().ljust(32)

    base: Any = SimpleNamespace(
        ring=SimpleNamespace(derive=derive), now=lambda: NOW, queries=None, home=_UUID
    )
    nothing: Any = SimpleNamespace()
    sites = {
        "auth": auth_pages(AuthGround(nothing, nothing, places), key=derive, now=lambda: NOW),
        "staff": staff_pages(StaffGround(base, nothing, places)),
    }
    return [
        (service, re.sub(r"\{[^}]+\}", _UUID, route.path))
        for service, site in sites.items()
        for route in site.routes
        if isinstance(route, Route)
        and method in (route.methods or ())
        and "/assets/" not in route.path
    ]


def url_of(system: System, service: str) -> str:
    return system.auth if service == "auth" else system.staff


class ByHand:
    """Cookies and forms, by hand: what a browser does, and what one is made to do."""

    def __init__(self, http: httpx.AsyncClient, origin: str) -> None:
        self.http, self.origin = http, origin
        self.cookies: dict[str, str] = {}
        self.set: list[str] = []

    async def get(self, path: str) -> httpx.Response:
        return self._take(await self.http.get(self.origin + path, headers=self._headers()))

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        told = {"origin": self.origin, "sec-fetch-site": "same-origin"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        told = {name: value for name, value in told.items() if value}
        answer = await self.http.post(
            self.origin + path, data=fields, headers=self._headers() | told
        )
        return self._take(answer)

    async def token(self) -> str:
        """A form's token."""
        found = _TOKEN.search((await self.get("/forgot-password")).text)
        assert found is not None
        return found[1]

    def _headers(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"cookie": pairs} if pairs else {}

    def _take(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.set.append(line)
            self.cookies[name] = value
        return answer


def held_in(html: str) -> str:
    found = re.search(r'name="held" value="([^"]+)"', html)
    assert found is not None
    return found[1]
