"""What surrounds every page: headers, cookies, forged requests; the login page's weight."""

import statistics
import time

import httpx
import pytest
from playwright.async_api import Request as Asked

from tests.browser.by_hand import ByHand, routes, url_of
from tests.browser.conftest import Visitor
from tests.browser.people import Agency, Staffing, System


@pytest.mark.parametrize(("service", "path"), [*routes("GET"), ("auth", "/no/such/page")])
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


@pytest.mark.attacks
class TestCookies:
    async def test_each_is_for_this_host_alone_and_for_no_script(
        self, system: System, agency: Agency, http: httpx.AsyncClient
    ) -> None:
        ben = await agency.person("Ben Okafor")
        browser = ByHand(http, system.auth)
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
        browser = ByHand(http, system.auth)
        browser.cookies["__Host-session"] = planted = "A" * 43
        fields = {"forgery": await browser.token(), "username": ben.username}
        await browser.post("/login", fields)
        answer = await browser.post("/login/password", fields | {"password": ben.password})
        assert answer.headers["location"].endswith("/home")
        assert browser.cookies["__Host-session"] != planted


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
