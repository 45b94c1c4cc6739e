"""What surrounds every page: headers, cookies, forged requests; the login page's weight."""

import re
import statistics
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.async_api import Request as Asked
from starlette.routing import Route

from services.auth.web.pages import PagesGround as AuthGround
from services.auth.web.pages import pages as auth_pages
from services.staff.web.pages import PagesGround as StaffGround
from services.staff.web.pages import pages as staff_pages
from services.web.pages.places import Places
from tests.browser.conftest import Visitor
from tests.browser.people import Agency, Staffing, System
from tests.browser.preview import NOW

_TOKEN = re.compile(r'name="forgery" value="([^"]+)"')
_UUID = "7d0c5f4e-0000-4000-8000-00000000000a"


def _routes(method: str) -> list[tuple[str, str]]:
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


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that keeps no cookies and follows nothing."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield client


@pytest.mark.parametrize(("service", "path"), [*_routes("GET"), ("auth", "/no/such/page")])
async def test_every_page_says_what_may_be_done_with_it(
    service: str, path: str, system: System, staffing: Staffing, http: httpx.AsyncClient
) -> None:
    accept = {"accept": "text/html"}
    cookie = {"cookie": f"__Host-session={staffing.session}"} if service == "staff" else {}
    answer = await http.get(url_of(system, service) + path, headers=accept | cookie)
    told = answer.headers
    if answer.status_code not in {303, 307}:
        assert told["content-type"] == "text/html; charset=utf-8"
        parts = [part.strip().partition(" ") for part in told["content-security-policy"].split(";")]
        policy = {name: value for name, _, value in parts}
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"].split()[0] == "'self'"
        assert "unsafe" not in told["content-security-policy"]
        assert told["referrer-policy"] == "same-origin"
        assert "camera=()" in told["permissions-policy"]
    assert told["cache-control"] == "no-store"
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "DENY"
    assert told["strict-transport-security"].startswith("max-age=63072000")
    assert told["x-request-id"]


class _Browser:
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


@pytest.mark.attacks
class TestCookies:
    async def test_each_is_for_this_host_alone_and_for_no_script(
        self, system: System, agency: Agency, http: httpx.AsyncClient
    ) -> None:
        ben = await agency.person("Ben Okafor")
        browser = _Browser(http, system.auth)
        fields = {"forgery": await browser.token(), "username": ben.username}
        await browser.post("/login", fields)
        await browser.post("/login/password", fields | {"password": ben.password})
        await browser.get("/password/" + "A" * 43)
        names = {line.partition("=")[0] for line in browser.set}
        assert names == {
            "__Host-forgery", "__Host-login", "__Host-session", "__Host-device", "__Host-change",
        }  # fmt: skip
        for line in browser.set:
            attributes = {part.strip().lower() for part in line.split(";")[1:]}
            assert {"httponly", "secure", "path=/"} <= attributes
            assert {"samesite=lax", "samesite=strict"} & attributes
            assert not any(part.startswith("domain") for part in attributes)

    async def test_a_login_opens_a_session_of_its_own(
        self, system: System, agency: Agency, http: httpx.AsyncClient
    ) -> None:
        """A session that somebody else put into the browser is not taken over."""
        ben = await agency.person("Ben Okafor")
        browser = _Browser(http, system.auth)
        browser.cookies["__Host-session"] = planted = "A" * 43
        fields = {"forgery": await browser.token(), "username": ben.username}
        await browser.post("/login", fields)
        answer = await browser.post("/login/password", fields | {"password": ben.password})
        assert answer.headers["location"].endswith("/home")
        assert browser.cookies["__Host-session"] != planted


@pytest.mark.attacks
class TestForgery:
    @pytest.mark.parametrize(("service", "path"), _routes("POST"))
    async def test_every_form_refuses_what_did_not_come_from_our_pages(
        self, service: str, path: str, system: System, http: httpx.AsyncClient
    ) -> None:
        browser, other = _Browser(http, system.auth), _Browser(http, system.auth)
        right = {"forgery": await browser.token()}
        foreign = {"forgery": await other.token()}
        browser.origin = url_of(system, service)
        for fields, headers in (
            ({"forgery": ""}, {}),
            (foreign, {}),
            (right, {"origin": "https://evil.example", "sec_fetch_site": "cross-site"}),
            (right, {"origin": "null"}),
            (right, {"origin": "", "sec_fetch_site": ""}),
            (right, {"sec_fetch_site": "same-site"}),
            (right, {"origin": "", "sec_fetch_site": "cross-site"}),
        ):
            answer = await browser.post(path, fields, **headers)
            assert answer.status_code == 403, (fields, headers)
            assert "Please open this page again" in answer.text
        assert (await browser.post(path, right)).status_code != 403
        assert (await browser.get(path)).status_code in {200, 303, 400, 404}

    async def test_only_a_form_is_read(self, system: System, http: httpx.AsyncClient) -> None:
        browser = _Browser(http, system.auth)
        await browser.token()
        for body, kind, status in (
            (b"{}", "application/json", 415),
            (b"a=1&a=2", "application/x-www-form-urlencoded", 400),
            (b"a=%00", "application/x-www-form-urlencoded", 400),
            (b"a=%ff", "application/x-www-form-urlencoded", 400),
            (b"a=1&" * 50, "application/x-www-form-urlencoded", 400),
        ):
            answer = await http.post(
                f"{system.auth}/login", content=body, headers={"content-type": kind}
            )
            assert answer.status_code == status


@pytest.mark.attacks
class TestForgedSteps:
    """Steps of a password change that no page offered."""

    async def test_a_choice_that_is_not_on_offer_is_refused(
        self, system: System, agency: Agency, staffing: Staffing, http: httpx.AsyncClient
    ) -> None:
        told = {"organisation_id": agency.organisation_id, "mandatory": True, "reason": "Agreed"}
        await staffing.command("set_two_factor_policy", told)
        ben = await agency.person("Ben Okafor", joined=False)
        browser = _Browser(http, system.auth)
        form = await self._opened(browser, await staffing.link(ben))
        page = await browser.post("/password/new", form | {"password": "a lantern over 7 rivers"})
        assert "No Thanks" not in page.text
        held = _held(page.text)
        for choice in ("no_thanks", "keep_existing", "", "setup_new\n"):
            answer = await browser.post(
                "/password/two-factor", form | {"held": held, "choice": choice}
            )
            assert answer.status_code == 422
            assert "Setup New Authenticator Codes" in answer.text

    async def test_a_password_of_another_change_is_not_taken(
        self, system: System, agency: Agency, staffing: Staffing, http: httpx.AsyncClient
    ) -> None:
        browsers, held = [], []
        for name in ("Ben Okafor", "Eve Hart"):
            someone = await agency.person(name, joined=False)
            browser = _Browser(http, system.auth)
            form = await self._opened(browser, await staffing.link(someone))
            page = await browser.post(
                "/password/new", form | {"password": "a lantern over 7 rivers"}
            )
            browsers.append((browser, form))
            held.append(_held(page.text))
        assert len(held[0]) == len(held[1])
        browser, form = browsers[0]
        for other in (held[1], held[0][:-4] + "AAAA", ""):
            answer = await browser.post(
                "/password/two-factor", form | {"held": other, "choice": "no_thanks"}
            )
            assert (answer.status_code, answer.headers["location"]) == (303, "/password/new")

    @staticmethod
    async def _opened(browser: _Browser, link: str) -> dict[str, str]:
        form = {"forgery": await browser.token()}
        await browser.get("/password/" + link.rpartition("/")[2])
        await browser.post("/password/open", form)
        return form


class TestSentTwice:
    async def test_a_form_acts_once(
        self, system: System, agency: Agency, http: httpx.AsyncClient
    ) -> None:
        """A double click, or a browser that tries again."""
        ada = await agency.person("Ada Clarke", enrolled=True)
        browser = _Browser(http, system.auth)
        fields = {"forgery": await browser.token(), "username": ada.username}
        await browser.post("/login", fields)
        kept = dict(browser.cookies)
        once = re.search(
            r'name="once" value="([^"]+)"', (await browser.get("/login/password")).text
        )
        assert once is not None
        fields |= {"password": ada.password, "code": ada.code(), "once": once[1]}
        sessions = set()
        for _ in range(2):
            browser.cookies = dict(kept)
            assert (await browser.post("/login/password", fields)).status_code == 303
            sessions.add(browser.cookies["__Host-session"])
        assert len(sessions) == 1


def _held(html: str) -> str:
    found = re.search(r'name="held" value="([^"]+)"', html)
    assert found is not None
    return found[1]


class TestLoginPage:
    async def test_is_small_and_asks_nobody_else(
        self, visitor: Visitor, system: System, http: httpx.AsyncClient
    ) -> None:
        page, asked = await visitor(), list[str]()

        def note(request: Asked) -> None:
            asked.append(request.url)

        page.on("request", note)
        await page.goto(f"{system.auth}/login", wait_until="networkidle")
        assert all(one.startswith(system.auth + "/") for one in asked)
        assert len(asked) <= 5
        size = 0
        for one in set(asked):
            async with http.stream("GET", one, headers={"accept-encoding": "gzip"}) as answer:
                size += sum([len(part) async for part in answer.aiter_raw()])
        print(f"\nlogin page: {size} bytes in {len(set(asked))} answers")  # noqa: T201
        assert size < 15 * 1024

    async def test_is_answered_at_once(self, system: System, http: httpx.AsyncClient) -> None:
        medians = []
        for _ in range(5):  # The claim is about a machine that does nothing else meanwhile.
            times = []
            for _ in range(40):
                began = time.perf_counter()
                await http.get(f"{system.auth}/login")
                times.append(time.perf_counter() - began)
            medians.append(statistics.median(times))
        median = min(medians)
        print(f"\nlogin page: answered in {median * 1000:.1f} ms at the median")  # noqa: T201
        assert median <= 0.010

    async def test_other_names_of_this_host_lead_to_the_one_that_works(
        self, system: System, http: httpx.AsyncClient
    ) -> None:
        host = system.auth.replace("http://127.0.0.1", "localhost")
        answer = await http.get(f"{system.auth}/login?next=/home", headers={"host": host})
        assert answer.status_code == 307
        assert answer.headers["location"] == f"{system.auth}/login?next=/home"

    async def test_a_host_header_decides_nothing(
        self, system: System, http: httpx.AsyncClient
    ) -> None:
        for host in ("evil.example", "["):
            answer = await http.get(f"{system.auth}/login", headers={"host": host})
            assert answer.status_code == 200
            assert "evil.example" not in answer.text + str(answer.headers)
            ticket = "t" * 43
            for path in ("/login/", f"/password/{ticket}/"):
                away = await http.get(f"{system.auth}{path}", headers={"host": host})
                assert away.status_code == 404
                assert "location" not in away.headers
