"""Logging in, as people do it, with JavaScript and without."""

from dataclasses import replace

import httpx
from playwright.async_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.people import Agency, Staffing, System
from tests.browser.playing import EITHER, SESSION, credentials, heading, is_titled, log_in, send


class TestLogin:
    @EITHER
    async def test_password_and_code_together_open_a_session(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        await log_in(page, system.auth, ada, ada.code())
        await is_titled(page, "You are logged in")
        await expect(page.get_by_text(f"Ada Clarke ({ada.username})")).to_be_visible()
        await expect(page.get_by_text("Logged in with password and code")).to_be_visible()
        await expect(page.locator(".badge")).to_have_text("On")

    async def test_what_was_refused_stands_apart_from_logins(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        await log_in(page, system.auth, replace(ada, password="wrong harbour wrong"))
        await credentials(page, ada.password, ada.code())
        await is_titled(page, "You are logged in")
        logins, refused = await page.locator("ol.history").all()
        await expect(logins.get_by_role("listitem")).to_have_count(1)
        await expect(logins).to_contain_text("Logged in with password and code")
        await expect(refused.get_by_role("listitem")).to_have_count(1)
        await expect(refused).to_contain_text("Wrong password")

    async def test_the_code_may_be_pasted_with_the_space_that_apps_show(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        code = ada.code()
        await log_in(page, system.auth, ada, f"{code[:3]} {code[3:]}")
        await is_titled(page, "You are logged in")

    async def test_without_2fa_the_code_stays_empty(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ben = await agency.person("Ben Okafor")
        await log_in(page, system.auth, ben)
        await is_titled(page, "You are logged in")
        await expect(page.locator(".badge")).to_have_text("Off")
        await expect(page.get_by_text("To turn it on, set a new password")).to_be_visible()

    async def test_what_was_wrong_is_never_told_apart(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        told = set()
        for username, password, code in (
            (ada.username, "wrong harbour wrong", ada.code()),
            (ada.username, ada.password, "000000"),
            (ada.username, ada.password, None),
            ("nobody.of.this.name", ada.password, None),
        ):
            await page.goto(f"{system.auth}/login")
            await page.get_by_label("Username").fill(username)
            await send(page, "Continue")
            async with page.expect_response("**/login/password") as answered:
                await credentials(page, password, code)
            assert (await answered.value).status == 422
            await expect(page.get_by_role("alert")).to_be_visible()
            told.add((await page.locator("main").inner_text()).replace(username, "…"))
            assert await page.title() == "Error: Password and code – agentOS"
        assert len(told) == 1
        assert "try again" in told.pop()

    async def test_being_paused_says_for_how_long(
        self, page: Page, system: System, staffing: Staffing
    ) -> None:
        username = "nobody.who.guesses"
        await page.goto(f"{system.auth}/login")
        await page.get_by_label("Username").fill(username)
        await send(page, "Continue")
        for _ in range(5):
            await credentials(page, "wrong harbour wrong")
        async with page.expect_response("**/login/password") as answered:
            await credentials(page, "wrong harbour wrong")
        paused = await answered.value
        assert paused.status == 429
        assert int(paused.headers["retry-after"]) > 0
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("Too many failed tries: wait ")
        await expect(alert).to_contain_text("Set a new one by e-mail")

    async def test_browsers_are_told_what_each_field_is_for(
        self, page: Page, system: System
    ) -> None:
        await page.goto(f"{system.auth}/login")
        username = page.get_by_label("Username")
        await expect(username).to_have_attribute("autocomplete", "username")
        await expect(username).to_be_focused()
        await username.fill("somebody")
        await username.press("Enter")
        password = page.get_by_label("Password", exact=True)
        await expect(password).to_have_attribute("autocomplete", "current-password")
        await expect(password).to_be_focused()
        code = page.get_by_label("Authenticator code")
        await expect(code).to_have_attribute("autocomplete", "one-time-code")
        await expect(code).to_have_attribute("inputmode", "numeric")
        for field in (password, code):
            assert await field.get_attribute("onpaste") is None

    async def test_leads_to_our_own_pages_alone(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ben = await agency.person("Ben Okafor")
        for elsewhere in (
            "https://evil.example", "//evil.example", "/\\evil.example", "/%2F/evil.example",
            "javascript:alert(1)", "/login/..//evil.example", "\thttps://evil.example",
        ):  # fmt: skip
            await page.goto(f"{system.auth}/login?next={elsewhere}")
            assert await page.locator("input[name=next]").count() == 0
        await page.goto(f"{system.auth}/login?next=/step-up")
        await page.get_by_label("Username").fill(ben.username)
        await send(page, "Continue")
        await credentials(page, ben.password)
        await is_titled(page, "You need two-factor authentication")


class TestHome:
    @EITHER
    async def test_logging_out_ends_the_session(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ben = await agency.person("Ben Okafor")
        await log_in(page, system.auth, ben)
        await is_titled(page, "You are logged in")
        token = await session_of(page)
        await send(page, "Log out")
        await expect(page.get_by_text("You are logged out.")).to_be_visible()
        assert await session_of(page) is None
        assert await is_over(system, token)

    async def test_logging_out_everywhere_ends_all_sessions(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ben = await agency.person("Ben Okafor")
        elsewhere = await staffing.log_in(ben)
        await log_in(page, system.auth, ben)
        await send(page, "Log out everywhere")
        await expect(page.get_by_text("here and everywhere else")).to_be_visible()
        assert await is_over(system, elsewhere)

    async def test_a_session_that_is_over_says_so_and_comes_back_after_the_login(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ben = await agency.person("Ben Okafor")
        await log_in(page, system.auth, ben)
        await is_titled(page, "You are logged in")
        headers = {"authorization": f"Bearer {await session_of(page)}"}
        await staffing.http.post(f"{system.auth}/api/logout", headers=headers)
        await page.goto(f"{system.auth}/home")
        await expect(page.get_by_role("status")).to_contain_text("Your session is over")
        await page.get_by_label("Username").fill(ben.username)
        await send(page, "Continue")
        await credentials(page, ben.password)
        await is_titled(page, "You are logged in")

    async def test_a_login_in_another_tab_makes_an_old_form_harmless(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        """A form's token is bound to the session that it was made in."""
        ben = await agency.person("Ben Okafor")
        await page.goto(f"{system.auth}/forgot-password")
        other = await page.context.new_page()
        await log_in(other, system.auth, ben)
        await is_titled(other, "You are logged in")
        await page.get_by_label("Username").fill(ben.username)
        await send(page, "E-mail me a link")
        await is_titled(page, "Please open this page again")
        await expect(page.get_by_text("Nothing was done.")).to_be_visible()


class TestKnownDevice:
    async def test_a_browser_that_logged_in_before_is_not_paused_by_others(
        self, visitor: Visitor, system: System, agency: Agency
    ) -> None:
        ben = await agency.person("Ben Okafor")
        own, stranger = await visitor(), await visitor()
        await log_in(own, system.auth, ben)
        await send(own, "Log out")
        await log_in(stranger, system.auth, replace(ben, password="wrong harbour wrong"))
        for _ in range(5):
            await credentials(stranger, "wrong harbour wrong")
        await expect(stranger.get_by_role("alert")).to_contain_text("Too many failed tries")
        await log_in(own, system.auth, ben)
        await expect(heading(own)).to_have_text("You are logged in")


async def session_of(page: Page) -> str | None:
    """The session's token that the browser has."""
    found = [one for one in await page.context.cookies() if one.get("name") == SESSION]
    return found[0].get("value") if found else None


async def is_over(system: System, token: str | None) -> bool:
    """Whether a session opens nothing any more."""
    async with httpx.AsyncClient(trust_env=False) as http:
        headers = {"authorization": f"Bearer {token}"}
        answer = await http.get(f"{system.auth}/api/session", headers=headers)
        return answer.status_code == 401
