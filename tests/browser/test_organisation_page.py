"""The organisation's page, and whom the staff pages let in: on a real Chromium."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.browser.desk import come_in, support
from tests.browser.people import Agency, Staffing, System
from tests.browser.playing import EITHER, credentials, is_titled, send


class TestOrganisation:
    async def test_an_administrator_sees_the_settings_and_cannot_change_them(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", role="administrator", enrolled=True)
        await come_in(page, staffing, ada)
        settings = f"{system.staff}/staff/organisations/{agency.organisation_id}"
        await page.goto(settings)
        await is_titled(page, agency.name)
        await expect(page.get_by_text("Only agentOS support changes these")).to_be_visible()
        assert await page.get_by_role("link", name="Change").count() == 0
        for path in ("two-factor", "password-expiry"):
            answer = await page.goto(f"{settings}/{path}")
            assert answer is not None
            assert answer.status == 404

    @EITHER
    async def test_support_sees_first_what_mandatory_would_do(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        await agency.person("Ada Clarke", enrolled=True)
        await agency.person("Ben Okafor")
        await support(page, staffing)
        await page.goto(f"{system.staff}/staff")
        await is_titled(page, "Organisations")
        await page.get_by_label("Name").fill(agency.name)
        await send(page, "Find")
        await page.get_by_role("link", name=agency.name).click()
        await is_titled(page, "People")
        await page.get_by_role("link", name="Settings").click()
        await page.get_by_role("link", name="Change").first.click()
        await page.get_by_role("radio", name="Mandatory").check()
        await page.get_by_role("radio", name="From a day on").check()
        day = (datetime.now(UTC) + timedelta(days=20)).date()
        await page.get_by_label("Day", exact=True).fill(day.isoformat())
        await send(page, "See what that does")
        await is_titled(page, "Make it mandatory")
        note = page.locator(".note")
        await expect(note).to_contain_text("1 of 2 people has no authenticator.")
        await expect(note.locator("time")).to_have_attribute("datetime", f"{day}T00:00:00.000Z")
        await page.get_by_label("Reason").fill("Agreed with the agency.")
        await send(page, "Make it mandatory from that day")
        await is_titled(page, "The setting is changed")
        await page.get_by_role("link", name="Back to").click()
        await expect(page.get_by_text("from then on mandatory")).to_be_visible()

    async def test_password_expiry(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        await support(page, staffing)
        settings = f"{system.staff}/staff/organisations/{agency.organisation_id}"
        await page.goto(f"{settings}/password-expiry")
        await page.get_by_role("radio", name="For a number of days").check()
        await page.get_by_label("Days", exact=True).fill("9999")
        await page.get_by_label("Reason").fill("Their insurer asks for it.")
        await send(page, "Change password expiry")
        await expect(page.get_by_role("alert")).to_contain_text("from 1 to 3650")
        await page.get_by_role("radio", name="For a number of days").check()
        await page.get_by_label("Days", exact=True).fill("90")
        await page.get_by_label("Reason").fill("Their insurer asks for it.")
        await send(page, "Change password expiry")
        await is_titled(page, "The password expiry is changed")
        await page.get_by_role("link", name="Back to").click()
        await expect(page.get_by_text("A password is good for 90 days")).to_be_visible()


class TestWhoMayBeHere:
    async def test_an_administrator_without_2fa_is_told_how_to_get_it(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        bob = await agency.person("Bob Lindqvist", role="administrator")
        await come_in(page, staffing, bob)
        answer = await page.goto(f"{system.staff}/staff")
        assert answer is not None
        assert answer.status == 403
        await is_titled(page, "You need two-factor authentication")
        await page.get_by_role("link", name="Ask for a link").click()
        await is_titled(page, "Forgotten your password?")

    async def test_staff_are_told_whom_it_is_for(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        eve = await agency.person("Eve Hart", enrolled=True)
        await come_in(page, staffing, eve)
        await page.goto(f"{system.staff}/staff/organisations/{agency.organisation_id}/people")
        await is_titled(page, "This is for administrators")

    async def test_without_a_session_the_login_comes_first_and_leads_back(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ada = await agency.person("Ada Clarke", role="administrator", enrolled=True)
        await page.goto(f"{system.staff}/staff/organisations/{agency.organisation_id}")
        await is_titled(page, "Log in")
        await page.get_by_label("Username").fill(ada.username)
        await send(page, "Continue")
        await credentials(page, ada.password, ada.code())
        await is_titled(page, agency.name)
