"""Administrators and support at their work."""

from playwright.async_api import Page, expect

from tests.browser.desk import REASON, act, come_in, confirm, fill_step_up, support
from tests.browser.people import Agency, Staffing, System
from tests.browser.playing import EITHER, bring_session, is_titled, log_in, send, session_in
from tests.browser.system import SOON


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
