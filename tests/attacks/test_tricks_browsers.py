"""Whose page makes another's browser send things; and who lies about where they come from."""

import re
from urllib.parse import quote

import httpx
import pytest

from services.demo.flows import accepted
from services.demo.people import Somebody
from tests.attacks.system import SETUP_NEW, Attacked, Recorded

PAGES = ("/login", "/forgot-password", "/password", "/home", "/step-up", "/nothing-here")
SAFE_COOKIE = {"Path=/", "Secure", "HttpOnly"}


class Browser:
    """What a browser does with forms and cookies, without anything that it shows."""

    def __init__(self, web: Recorded) -> None:
        self.web, self.cookies = web, dict[str, str]()
        self.raw: list[str] = []

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._send("GET", path, headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        ours = {"Origin": self.web.url, "Sec-Fetch-Site": "same-origin"} | headers
        ours["Content-Type"] = "application/x-www-form-urlencoded"
        body = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in fields.items())
        return self._send("POST", path, ours, content=body)

    def fields(self, page: httpx.Response) -> dict[str, str]:
        """The hidden fields of a page's first form."""
        found = re.findall(r'<input[^>]*type="hidden"[^>]*>', page.text)
        named = [(re.search(r'name="([^"]*)"', f), re.search(r'value="([^"]*)"', f)) for f in found]
        return {n[1]: v[1] for n, v in named if n and v}

    def log_in(
        self, somebody: Somebody, code: str | None = None, leads_to: str = ""
    ) -> httpx.Response:
        """Both screens."""
        first = self.get(f"/login?next={quote(leads_to, safe='')}" if leads_to else "/login")
        self.post("/login", self.fields(first) | {"username": somebody.username})
        second = self.get("/login/password")
        told = {"password": somebody.password, "code": code or ""}
        return self.post("/login/password", self.fields(second) | told)

    def _send(self, method: str, path: str, headers: dict[str, str], **more: str) -> httpx.Response:
        if self.cookies:
            headers = headers | {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        answer = self.web.send(method, path, headers=headers, **more)
        for one in answer.headers.get_list("set-cookie"):
            self.raw.append(one)
            name, _, value = one.split(";")[0].partition("=")
            if value.strip('"'):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer


@pytest.fixture
def browser(world: Attacked) -> Browser:
    """Give a browser that nobody used before."""
    world.auths[0]._client.cookies.clear()
    return Browser(world.auths[0])


class TestCookies:
    @pytest.mark.row(34)
    def test_are_of_this_host_alone_and_new_at_each_login(
        self, world: Attacked, organisation: str, browser: Browser
    ) -> None:
        sam = world.join(organisation)
        browser.cookies["__Host-session"] = "A" * 43  # A fixed one, planted before the login.
        browser.log_in(sam)
        first = browser.cookies["__Host-session"]
        assert first != "A" * 43
        for raw in browser.raw:
            name, *attributes = [part.strip() for part in raw.split(";")]
            assert name.startswith("__Host-"), raw
            assert set(attributes) >= SAFE_COOKIE, raw
            assert any(a.lower() in {"samesite=lax", "samesite=strict"} for a in attributes), raw
            assert not any(a.lower().startswith("domain") for a in attributes), raw
        browser.cookies.pop("__Host-session")
        browser.log_in(sam)
        assert browser.cookies["__Host-session"] != first
        # The log and the database hold its digest alone.
        assert first not in str(world.fetch("SELECT s::text FROM session s"))

    @pytest.mark.row(34)
    def test_stolen_before_a_step_up_are_dead_after_it_on_both_services(
        self, world: Attacked, organisation: str, browser: Browser
    ) -> None:
        ada = world.join(organisation, "administrator", SETUP_NEW)
        browser.log_in(ada, ada.app.code())
        stolen, people = browser.cookies["__Host-session"], f"/staff/organisations/{organisation}"
        told = {"password": ada.password}
        for wrong in (ada.app.wrong(), ""):  # Raises nothing.
            form = browser.fields(browser.get("/step-up")) | told | {"code": wrong}
            assert browser.post("/step-up", form).status_code == 422
            assert browser.cookies["__Host-session"] == stolen
        form = browser.fields(browser.get("/step-up")) | told | {"code": ada.app.code()}
        before = dict(browser.cookies)
        assert browser.post("/step-up", form).status_code == 303
        raised = browser.cookies["__Host-session"]
        assert raised != stolen
        assert raised not in str(world.fetch("SELECT s::text FROM session s"))
        # Where the answer is lost, the owner's browser sends the very form again.
        browser.cookies = before
        assert browser.post("/step-up", form).status_code == 303
        assert browser.cookies["__Host-session"] == raised
        pages = [(web, "/home") for web in world.auths]
        pages += [(web, people) for web in (world.staff, world.late_staff)]
        calls = [(web, "/api/session") for web in world.auths]
        calls += [(world.staff, f"/api/organisations/{organisation}/staff")]
        for token, alive in ((stolen, False), (raised, True)):
            cookie = {"Cookie": f"__Host-session={token}"}
            for web, path in pages:
                page = web.send("GET", path, headers=cookie)
                assert page.status_code == (200 if alive else 303)
                assert alive or "/login?" in page.headers["location"]
            for web, path in calls:
                web.get(path, token).expect(200 if alive else 401)

    @pytest.mark.row(34)
    def test_as_bearers_die_where_the_caller_asks_for_a_new_one(
        self, world: Attacked, organisation: str
    ) -> None:
        ada = world.administrator(organisation)
        stolen, body = ada.session, {"password": ada.password, "code": ada.app.code()}
        done = world.auth.post("/api/step-up", body | {"renew": True}, stolen).expect(200)
        grave = {"type": "disable_two_factor", "data": world.about(ada)}
        for web in world.auths:
            web.get("/api/session", stolen).expect(401)
            web.post("/api/logout", {}, stolen).expect(401)
        world.staff.post("/api/commands", grave, stolen).expect(401)
        ada.session = done.body["session"]
        eve = world.join(organisation, choice=SETUP_NEW)
        accepted(world.command(ada, "disable_two_factor", world.about(eve)))

    @pytest.mark.row(34, 54)
    def test_are_no_key_to_the_api_nor_bearers_to_the_pages(
        self, world: Attacked, organisation: str, browser: Browser
    ) -> None:
        sam = world.join(organisation)
        browser.log_in(sam)
        cookie = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
        assert browser.get("/home").status_code == 200
        for method, path in (("GET", "/api/session"), ("POST", "/api/logout")):
            answer = browser.web.send(method, path, headers={"Cookie": cookie})
            assert answer.status_code == 401
        token = {"Authorization": f"Bearer {browser.cookies['__Host-session']}"}
        assert browser.web.send("GET", "/home", headers=token).status_code == 303
        world.auth.get("/api/session", browser.cookies["__Host-session"]).expect(200)


class TestForms:
    @pytest.mark.row(54)
    def test_from_elsewhere_are_refused_login_included(
        self, world: Attacked, organisation: str, browser: Browser
    ) -> None:
        sam = world.join(organisation)
        login = browser.fields(browser.get("/login")) | {"username": sam.username}
        evil = "https://evil.example"
        assert browser.post("/login", login, Origin=evil).status_code == 403
        assert browser.post("/login", login, Origin="null").status_code == 403
        for site in ("cross-site", "same-site", "none"):
            headers = {"Sec-Fetch-Site": site}
            assert browser.post("/login", login, **headers).status_code == 403
        assert browser.post("/login", login | {"forgery": "A" * 43}).status_code == 403
        assert browser.post("/login", {"username": sam.username}).status_code == 403
        other = Browser(world.auths[0])
        theirs = other.fields(other.get("/login"))
        assert browser.post("/login", login | theirs).status_code == 403
        bare = world.auths[0].send("POST", "/login", data=login)
        assert bare.status_code == 403
        assert browser.post("/login", login).status_code == 303
        json = {"Content-Type": "application/json"}
        assert browser.web.send("POST", "/login", content="{}", headers=json).status_code == 415

    @pytest.mark.row(54)
    def test_are_sent_by_post_alone(
        self, world: Attacked, organisation: str, browser: Browser
    ) -> None:
        sam = world.join(organisation)
        browser.log_in(sam)
        world.log.mark()
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
            for path in ("/logout?everywhere=1", "/login?username=x", "/password/finish"):
                headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}
                assert browser.web.send(method, path, headers=headers).status_code < 500
        world.log.expect_none("", "logged_out")
        assert browser.get("/home").status_code == 200


class TestHeaders:
    @pytest.mark.row(53)
    def test_stand_on_every_answer(self, world: Attacked, browser: Browser) -> None:
        for web in (world.auths[0], world.staff):
            for path in (*PAGES, "/staff", "/api/session", "/openapi.json", "/health/live"):
                answer = web.send("GET", path, headers={"Accept": "text/html"})
                heads = answer.headers
                policy = heads["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert "*" not in policy
                if "text/html" in heads.get("content-type", ""):
                    assert "form-action 'self'" in policy
                    # No inline script or style needs a nonce: there is none.
                    assert not re.search(
                        r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", answer.text
                    )
                assert heads["cache-control"] == "no-store"
                assert heads["x-content-type-options"] == "nosniff"
                assert "max-age=" in heads["strict-transport-security"]
                assert "server" not in heads


class TestWhereItLeads:
    @pytest.mark.row(56)
    @pytest.mark.parametrize(
        "leads_to",
        [
            "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example",
            "/%2f/evil.example", "javascript:alert(1)", "http:evil.example", "/\t/evil.example",
            "/\n/evil.example", "///evil.example", "/login/../\\evil.example", " //evil.example",
            "http://127.0.0.1@evil.example/", "/home\r\nLocation: https://evil.example",
        ],
    )  # fmt: skip
    def test_is_to_our_own_pages(
        self, world: Attacked, organisation: str, browser: Browser, leads_to: str
    ) -> None:
        page = browser.get(f"/login?next={quote(leads_to, safe='')}")
        assert page.status_code in {200, 400}
        hidden = browser.fields(page)
        assert not hidden.get("next")
        forged = hidden | {"username": "nobody", "next": leads_to}
        there = browser.post("/login", forged)
        assert there.headers.get("location", "/login/password") == "/login/password"

    @pytest.mark.row(56)
    def test_a_login_leads_to_nobody_elses(
        self, world: Attacked, organisation: str, browser: Browser
    ) -> None:
        sam = world.join(organisation)
        done = browser.log_in(sam, leads_to="//evil.example/x")
        assert done.status_code == 303
        assert done.headers["location"] == f"{browser.web.url}/home"


class TestWhereItComesFrom:
    @pytest.mark.row(57)
    def test_nobody_chooses_their_address(
        self, world: Attacked, organisation: str, browser: Browser
    ) -> None:
        """No proxy is trusted here, so that whatever the headers say, the peer counts."""
        sam = world.join(organisation)
        lies = {"Forwarded": "for=203.0.113.77", "X-Real-IP": "203.0.113.77",
                "True-Client-IP": "203.0.113.77"}  # fmt: skip
        for hops in ("203.0.113.77", "203.0.113.77, garbage, ::1::"):
            started = world.auth.post("/api/login/start", {"username": sam.username})
            body = {"login": started.body["login"], "password": "wrong-wrong-wrong-1"}
            answer = world.auths[0].send(
                "POST", "/api/login/finish", json=body, headers=lies | {"X-Forwarded-For": hops}
            )
            assert answer.status_code == 401
        # The owner is shown where the tries came from.
        browser.log_in(sam)
        shown = browser.get("/home").text
        assert shown.count("127.0.0.1") >= 3
        assert "203.0.113" not in shown
        for process in world.processes:
            assert "203.0.113" not in world.log_of(process)


@pytest.mark.row(23)
def test_a_flood_of_guesses_keeps_nobody_from_a_step_up_in_their_own_browser(
    world: Attacked, browser: Browser, organisation: str
) -> None:
    eve = world.join(organisation, choice=SETUP_NEW)
    browser.log_in(eve, eve.app.code())
    assert "__Host-device" in browser.cookies
    for _ in range(4):
        world.login(eve, password="-" * 15)
    world.login(eve).expect(429, "too-many-attempts")
    told = {"password": eve.password, "code": eve.app.code()}
    page = browser.fields(browser.get("/step-up"))
    assert browser.post("/step-up", page | told).status_code == 303
