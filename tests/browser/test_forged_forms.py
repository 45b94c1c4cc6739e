"""Forms that another site sends, or that are sent out of turn or twice."""

import re

import httpx
import pytest

from tests.browser.by_hand import ByHand, held_in, routes, url_of
from tests.browser.people import Agency, Staffing, System


@pytest.mark.attacks
class TestForgery:
    @pytest.mark.parametrize(("service", "path"), routes("POST"))
    async def test_every_form_refuses_what_did_not_come_from_our_pages(
        self, service: str, path: str, system: System, http: httpx.AsyncClient
    ) -> None:
        browser, other = ByHand(http, system.auth), ByHand(http, system.auth)
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
        browser = ByHand(http, system.auth)
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
        browser = ByHand(http, system.auth)
        form = await self._opened(browser, await staffing.link(ben))
        page = await browser.post("/password/new", form | {"password": "a lantern over 7 rivers"})
        assert "No Thanks" not in page.text
        held = held_in(page.text)
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
            browser = ByHand(http, system.auth)
            form = await self._opened(browser, await staffing.link(someone))
            page = await browser.post(
                "/password/new", form | {"password": "a lantern over 7 rivers"}
            )
            browsers.append((browser, form))
            held.append(held_in(page.text))
        assert len(held[0]) == len(held[1])
        browser, form = browsers[0]
        for other in (held[1], held[0][:-4] + "AAAA", ""):
            answer = await browser.post(
                "/password/two-factor", form | {"held": other, "choice": "no_thanks"}
            )
            assert (answer.status_code, answer.headers["location"]) == (303, "/password/new")

    @staticmethod
    async def _opened(browser: ByHand, link: str) -> dict[str, str]:
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
        browser = ByHand(http, system.auth)
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
