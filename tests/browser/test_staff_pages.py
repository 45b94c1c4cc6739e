"""Administrators and support at their work."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.browser.people import Agency, Somebody, Staffing, System
from tests.browser.playing import (
    EITHER,
    bring_session,
    credentials,
    is_titled,
    log_in,
    send,
    session_in,
)
from tests.browser.system import SOON

REASON = "Lost the phone; identity checked in person."


async def come_in(page: Page, staffing: Staffing, someone: Somebody) -> None:
    """With a session that was opened elsewhere."""
    await bring_session(page, staffing.system.auth, await staffing.log_in(someone))


async def support(page: Page, staffing: Staffing) -> None:
    """With the session of support's first person."""
    await bring_session(page, staffing.system.auth, staffing.session)


async def act(page: Page, label: str) -> None:
    """Choose from the Actions menu."""
    await page.get_by_text("Actions", exact=True).click()
    await page.get_by_role("link", name=label).click()
    await is_titled(page, label)


async def confirm(page: Page, label: str) -> None:
    """Give a reason, mean it, and do it."""
    await page.get_by_label("Reason").fill(REASON)
    await page.get_by_role("checkbox").check()
    await send(page, label)


class TestPeople:
    @EITHER
    async def test_says_who_has_2fa_and_finds_people(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", role="administrator", enrolled=True)
        ben = await agency.person("Ben Okafor")
        await agency.person("Chiara Rossi", joined=False)
        await log_in(page, system.auth, ada, ada.code())
        await page.get_by_role("link", name="People and settings").click()
        await is_titled(page, "People")
        await expect(
            page.get_by_text("1 of 3 people has two-factor authentication")
        ).to_be_visible()
        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(3)
        await expect(rows.nth(2)).to_contain_text("invited")
        await page.get_by_label("Two-factor authentication").select_option("Off")
        await send(page, "Show")
        await expect(rows).to_have_count(2)
        await page.get_by_label("Name, username or e-mail").fill("OKAFOR")
        await send(page, "Show")
        await expect(rows).to_have_count(1)
        await page.get_by_role("link", name="Ben Okafor").click()
        await is_titled(page, "Ben Okafor")
        await expect(page.get_by_text(ben.email)).to_be_visible()

    async def test_another_organisations_people_are_not_there(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", role="administrator", enrolled=True)
        other = await staffing.register_agency()
        eve = await other.person("Eve Hart", joined=False)
        await come_in(page, staffing, ada)
        told = set()
        base = f"{system.staff}/staff/organisations"
        for path in (
            other.organisation_id,
            f"{other.organisation_id}/people",
            f"{other.organisation_id}/people/{eve.staff_id}",
            f"{agency.organisation_id}/people/{eve.staff_id}",
            f"{agency.organisation_id}/people/{eve.staff_id}/disable-two-factor",
            "7d0c5f4e-0000-4000-8000-00000000000a",
        ):
            answer = await page.goto(f"{base}/{path}")
            assert answer is not None
            assert answer.status == 404
            told.add(await page.locator("main").inner_text())
        assert len(told) == 1


class TestActions:
    @EITHER
    async def test_disable_two_factor_authentication(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", role="administrator", enrolled=True)
        eve = await agency.person("Eve Hart", enrolled=True)
        session = await staffing.log_in(eve)
        await come_in(page, staffing, ada)
        await page.goto(
            f"{system.staff}/staff/organisations/{agency.organisation_id}/people/{eve.staff_id}"
        )
        await act(page, "Disable Two Factor Authentication")
        await expect(page.get_by_text("every session ends at once")).to_be_visible()
        await expect(page.get_by_text("turning it on again takes a new password")).to_be_visible()
        await confirm(page, "Disable Two Factor Authentication")
        await is_titled(page, "Two-factor authentication is disabled")
        await page.get_by_role("link", name="Back to").click()
        await expect(page.locator("#history ~ ol")).to_contain_text(
            "Two-factor authentication was disabled by Ada Clarke. Reason: " + REASON
        )
        await expect(page.get_by_text("A new password turns it on again.")).to_be_visible()
        headers = {"authorization": f"Bearer {session}"}
        gone = await staffing.http.get(f"{system.auth}/api/session", headers=headers)
        assert gone.status_code == 401
        eve.secret = None
        await page.context.clear_cookies()
        await log_in(page, system.auth, eve)
        await is_titled(page, "You are logged in")

    async def test_require_password_reset(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", role="administrator", enrolled=True)
        ben = await agency.person("Ben Okafor")
        await come_in(page, staffing, ada)
        await page.goto(
            f"{system.staff}/staff/organisations/{agency.organisation_id}/people/{ben.staff_id}"
        )
        await act(page, "Require Password Reset")
        await confirm(page, "Require Password Reset")
        await is_titled(page, "A password reset is required")
        await page.get_by_role("link", name="Back to").click()
        await expect(page.get_by_text("Must set a new password")).to_be_visible()
        await page.context.clear_cookies()
        await log_in(page, system.auth, ben)
        await is_titled(page, "A new password is needed")
        assert await staffing.link(ben, 2)

    async def test_nothing_is_done_without_a_reason_and_a_confirmation(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        eve = await agency.person("Eve Hart", enrolled=True)
        await support(page, staffing)
        await page.goto(
            f"{system.staff}/staff/organisations/{agency.organisation_id}/people/{eve.staff_id}"
            "/disable-two-factor"
        )
        await page.evaluate("document.querySelector('form').noValidate = true")
        await send(page, "Disable Two Factor Authentication")
        await expect(page.get_by_role("alert")).to_have_text("Give a reason.")
        await page.evaluate("document.querySelector('form').noValidate = true")
        await page.get_by_label("Reason").fill(REASON)
        await send(page, "Disable Two Factor Authentication")
        await expect(page.get_by_role("alert")).to_have_text("Confirm that you mean it.")

    async def test_nobody_does_it_to_themself(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", role="administrator", enrolled=True)
        await come_in(page, staffing, ada)
        own = f"{system.staff}/staff/organisations/{agency.organisation_id}/people/{ada.staff_id}"
        await page.goto(own)
        await expect(page.get_by_text("This is you.")).to_be_visible()
        assert await page.locator("details.menu").count() == 0
        await page.goto(f"{own}/disable-two-factor")
        assert await page.get_by_label("Reason").count() == 0

    async def test_a_refusal_is_shown_as_one(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        """It was disabled by somebody else while this page was open."""
        eve = await agency.person("Eve Hart", enrolled=True)
        await support(page, staffing)
        await page.goto(
            f"{system.staff}/staff/organisations/{agency.organisation_id}/people/{eve.staff_id}"
        )
        await act(page, "Disable Two Factor Authentication")
        told = {"organisation_id": agency.organisation_id, "staff_id": eve.staff_id}
        await staffing.command("disable_two_factor", {**told, "reason": "First"})
        await confirm(page, "Disable Two Factor Authentication")
        await is_titled(page, "It was not done")
        await expect(page.get_by_role("alert")).to_contain_text("Nothing was changed.")


class TestOutcome:
    async def test_nothing_is_shown_as_done_before_it_is(
        self, page: Page, system: System, staffing: Staffing
    ) -> None:
        await support(page, staffing)
        await page.goto(f"{system.staff}/staff/commands/7d0c5f4e-0000-4000-8000-00000000000a")
        await is_titled(page, "It is being carried out")
        await expect(page.get_by_role("link", name="Look again")).to_be_visible()


class TestStepUp:
    async def test_password_and_code_are_asked_for_again_after_ten_minutes(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", role="administrator", enrolled=True)
        eve = await agency.person("Eve Hart", enrolled=True)
        session = await staffing.log_in(ada)
        before = (await staffing.who(session))["fresh_until"]
        await bring_session(page, system.soon_auth, session)
        profile = f"/staff/organisations/{agency.organisation_id}/people/{eve.staff_id}"
        await page.goto(f"{system.soon_staff}{profile}")
        await page.get_by_text("Actions", exact=True).click()
        await page.get_by_role("link", name="Disable Two Factor Authentication").click()
        await is_titled(page, "Confirm that it is you")
        soon = SOON.total_seconds()
        await fill_step_up(page, ada.password, "000000")
        await expect(page.get_by_role("alert")).to_contain_text("That didn’t work.")
        assert await session_in(page) == session
        async with page.expect_response(f"**{profile}/disable-two-factor") as back:
            await fill_step_up(page, ada.password, ada.code(soon))
        assert (await back.value).url == f"{system.soon_staff}{profile}/disable-two-factor"
        renewed = await session_in(page)
        assert renewed != session
        assert (await staffing.who(renewed))["fresh_until"] > before
        # By the real clock it is fresh.
        await page.goto(f"{system.staff}{profile}/disable-two-factor")
        await is_titled(page, "Disable Two Factor Authentication")


async def fill_step_up(page: Page, password: str, code: str) -> None:
    """The step-up's form."""
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_label("Authenticator code").fill(code)
    await send(page, "Confirm")


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
