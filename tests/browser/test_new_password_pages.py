"""A new password and the choice about 2FA: invited, forgotten, required, mandatory, expired."""

import time

import httpx
from playwright.async_api import Page, expect

from tests.browser.people import Agency, Somebody, Staffing, System, oathtool
from tests.browser.playing import (
    EITHER,
    SESSION,
    choose,
    choose_password,
    is_titled,
    log_in,
    scan,
    send,
    turn_on,
)
from tests.browser.system import LATER

CHOICES = ["No Thanks", "Keep My Existing Codes", "Setup New Authenticator Codes"]
NEW = "a lantern over 7 rivers"


async def ask_for_link(page: Page, system: System, someone: Somebody) -> None:
    """By the login page's own link."""
    await page.goto(f"{system.auth}/login")
    await page.get_by_role("link", name="Forgotten your password?").click()
    await page.get_by_label("Username").fill(someone.username)
    await send(page, "E-mail me a link")
    await is_titled(page, "Look into your mailbox")


async def follow(page: Page, link: str) -> None:
    """A link in an e-mail, to where something is to be done."""
    await page.goto(link)
    await is_titled(page, "Set a new password")
    assert link.rpartition("/")[2] not in page.url  # It has left the address bar.
    await send(page, "Continue")


async def are_offered(page: Page, choices: list[str]) -> None:
    """Wait until the page offers these, in this order, and no others."""
    await expect(page.locator(".choice b")).to_have_text(choices)


class TestInvited:
    @EITHER
    async def test_sets_a_password_and_an_authenticator_by_the_qr_code(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", joined=False)
        await follow(page, await staffing.link(ada))
        await is_titled(page, "Choose a new password")
        field = page.get_by_label("New password", exact=True)
        await expect(field).to_have_attribute("autocomplete", "new-password")
        await expect(page.get_by_text("15 characters or more")).to_be_visible()
        await choose_password(page, "too short")
        await expect(page.get_by_role("alert")).to_contain_text("15 characters or more")
        await choose_password(page, NEW)
        await is_titled(page, "Two-factor authentication")
        await are_offered(page, [CHOICES[0], CHOICES[2]])
        await choose(page, "Setup New Authenticator Codes")
        await is_titled(page, "Setup New Authenticator Codes")
        ada.secret, ada.password = await scan(page), NEW
        assert (await page.locator(".secret").inner_text()).replace(" ", "") == ada.secret
        app = page.get_by_role("link", name="Open your authenticator app")
        address = await app.get_attribute("href") or ""
        assert address.startswith("otpauth://totp/")
        assert f"secret={ada.secret}" in address
        await turn_on(page, ada)
        await is_titled(page, "Your new password is set")
        await expect(page.get_by_text("Two-factor authentication is on.")).to_be_visible()
        kept = {one["name"]: one["sameSite"] for one in await page.context.cookies()}
        assert kept["__Host-device"] == "Strict"  # The browser is known, and not logged in.
        assert SESSION not in kept
        await page.get_by_role("link", name="Log in").click()
        await log_in(page, system.auth, ada, ada.code())
        await is_titled(page, "You are logged in")

    async def test_nothing_changes_until_the_first_code_is_right(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ben = await agency.person("Ben Okafor")
        await ask_for_link(page, system, ben)
        await follow(page, await staffing.link(ben, 2))
        await choose_password(page, NEW)
        await choose(page, "Setup New Authenticator Codes")
        secret = await scan(page)
        await page.get_by_label("Type the code that the app shows").fill("000000")
        await send(page, "Turn on two-factor authentication")
        await expect(page.get_by_role("alert")).to_contain_text("That code isn’t right.")
        shown = await page.content()
        assert secret not in shown.replace(" ", "")  # It is shown once.
        assert NEW not in shown
        await log_in(page, system.auth, ben)  # They left; the old password is in force.
        await is_titled(page, "You are logged in")

    async def test_a_wrong_first_code_can_be_followed_by_the_right_one(
        self, page: Page, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", joined=False)
        await follow(page, await staffing.link(ada))
        await choose_password(page, NEW)
        await choose(page, "Setup New Authenticator Codes")
        ada.secret = await scan(page)
        for code in ("000000", ada.code()):
            await page.get_by_label("Type the code that the app shows").fill(code)
            await send(page, "Turn on two-factor authentication")
        await is_titled(page, "Your new password is set")


class TestForgotten:
    @EITHER
    async def test_an_enrolled_person_gives_a_code_first_and_may_keep_it(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        await ask_for_link(page, system, ada)
        await follow(page, await staffing.link(ada, 2))
        await is_titled(page, "First, your authenticator code")
        code = page.get_by_label("Authenticator code")
        await code.fill("000000")
        await send(page, "Continue")
        await expect(page.get_by_role("alert")).to_contain_text("That code isn’t right")
        await code.fill(ada.code())
        await send(page, "Continue")
        await choose_password(page, NEW)
        await are_offered(page, CHOICES)
        await choose(page, "Keep My Existing Codes")
        await is_titled(page, "Your new password is set")
        await expect(page.get_by_text("Two-factor authentication is on.")).to_be_visible()

    async def test_no_thanks_turns_it_off(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        await ask_for_link(page, system, ada)
        await follow(page, await staffing.link(ada, 2))
        await page.get_by_label("Authenticator code").fill(ada.code())
        await send(page, "Continue")
        await choose_password(page, NEW)
        await expect(page.get_by_text("your app’s codes stop working")).to_be_visible()
        await choose(page, "No Thanks")
        await expect(page.get_by_text("Two-factor authentication is off.")).to_be_visible()
        ada.password, ada.secret = NEW, None
        await log_in(page, system.auth, ada)
        await is_titled(page, "You are logged in")

    async def test_five_wrong_codes_end_the_link(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        await ask_for_link(page, system, ada)
        await follow(page, await staffing.link(ada, 2))
        for _ in range(5):
            await page.get_by_label("Authenticator code").fill("000000")
            await send(page, "Continue")
        await page.get_by_label("Authenticator code").fill(ada.code())
        await send(page, "Continue")
        await is_titled(page, "This link no longer works")

    async def test_a_used_link_says_what_to_do_next(
        self, page: Page, agency: Agency, staffing: Staffing
    ) -> None:
        ben = await agency.person("Ben Okafor")
        used = await staffing.link(ben)
        await follow(page, used)
        await is_titled(page, "This link no longer works")
        await expect(page.get_by_text("Your password is as it was.")).to_be_visible()
        await page.get_by_role("link", name="Ask for a new link").click()
        await is_titled(page, "Forgotten your password?")

    async def test_the_current_password_is_refused_and_the_choice_kept(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ben = await agency.person("Ben Okafor")
        await ask_for_link(page, system, ben)
        await follow(page, await staffing.link(ben, 2))
        await choose_password(page, ben.password)
        await choose(page, "No Thanks")
        await is_titled(page, "Choose a new password")
        await expect(page.get_by_role("alert")).to_contain_text("current password")
        await choose_password(page, "too short")
        await expect(page.get_by_role("alert")).to_contain_text("15 characters or more")
        await choose_password(page, NEW)
        await is_titled(page, "Your new password is set")
        await expect(page.get_by_text("Two-factor authentication is off.")).to_be_visible()

    @EITHER
    async def test_nor_is_an_authenticator_lost_that_was_set_up_with_it(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        await ask_for_link(page, system, ada)
        await follow(page, await staffing.link(ada, 2))
        await page.get_by_label("Authenticator code").fill(ada.code())
        await send(page, "Continue")
        await choose_password(page, ada.password)
        await choose(page, "Setup New Authenticator Codes")
        ada.secret = await scan(page)
        await turn_on(page, ada)
        await expect(page.get_by_role("alert")).to_contain_text("current password")
        await expect(page.get_by_text("Keep the authenticator")).to_be_visible()
        await choose_password(page, NEW)
        await is_titled(page, "Setup New Authenticator Codes")
        assert await page.locator(".qr").count() == 0
        await turn_on(page, ada)
        await is_titled(page, "Your new password is set")
        await expect(page.get_by_text("Two-factor authentication is on.")).to_be_visible()

    async def test_looking_at_a_link_does_not_spend_it(
        self, page: Page, agency: Agency, staffing: Staffing
    ) -> None:
        """As scanners of mail do, which follow every address with GET."""
        ada = await agency.person("Ada Clarke", joined=False)
        link = await staffing.link(ada)
        for _ in range(3):
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as scanner:
                assert (await scanner.get(link)).status_code in {200, 400}
        await follow(page, link)
        await is_titled(page, "Choose a new password")

    async def test_the_answer_is_the_same_for_a_username_that_nobody_has(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ben = await agency.person("Ben Okafor")
        nobody = Somebody("", "", "nobody.of.this.name", "", "")
        told = set()
        for someone in (ben, nobody):
            await ask_for_link(page, system, someone)
            told.add(await page.locator("main").inner_text())
        assert len(told) == 1


class TestSentAway:
    async def test_mandatory_and_not_enrolled(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ben = await agency.person("Ben Okafor")
        told = {"organisation_id": agency.organisation_id, "mandatory": True, "reason": "Agreed"}
        await staffing.command("set_two_factor_policy", told)
        await log_in(page, system.auth, ben)
        await is_titled(page, "One thing before you can log in")
        await expect(page.get_by_text("We have e-mailed you a link")).to_be_visible()
        await follow(page, await staffing.link(ben, 2))
        await choose_password(page, NEW)
        await are_offered(page, ["Setup New Authenticator Codes"])
        await send(page, "Continue")
        await is_titled(page, "Setup New Authenticator Codes")

    async def test_a_required_reset(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ben = await agency.person("Ben Okafor")
        told = {"organisation_id": agency.organisation_id, "staff_id": ben.staff_id}
        await staffing.command("require_password_reset", {**told, "reason": "Leaked"})
        await log_in(page, system.auth, ben)
        await is_titled(page, "A new password is needed")

    async def test_an_expired_password_leads_to_a_new_one(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        told = {"organisation_id": agency.organisation_id, "max_age_days": 30, "reason": "Agreed"}
        await staffing.command("set_password_expiry", told)
        ada = await agency.person("Ada Clarke", enrolled=True)
        later = LATER.total_seconds()
        await log_in(page, system.later_auth, ada, ada.code(later))
        await is_titled(page, "Choose a new password")
        await expect(page.get_by_text("Your password has expired")).to_be_visible()
        await choose_password(page, NEW)
        await are_offered(page, CHOICES)
        await choose(page, "Setup New Authenticator Codes")
        secret = await scan(page)
        field = page.get_by_label("Type the code that the app shows")
        await field.fill(oathtool(secret, time.time() + later))
        await send(page, "Turn on two-factor authentication")
        await is_titled(page, "Your new password is set")

    async def test_a_start_date_ahead_is_told(
        self, page: Page, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ben = await agency.person("Ben Okafor")
        told = {"organisation_id": agency.organisation_id, "mandatory": True, "reason": "Agreed"}
        await staffing.command(
            "set_two_factor_policy", {**told, "from": "2099-01-01T00:00:00.000Z"}
        )
        await log_in(page, system.auth, ben)
        await expect(page.locator(".note")).to_contain_text(
            "your organisation requires two-factor authentication"
        )
        await expect(page.locator(".note time")).to_have_attribute(
            "datetime", "2099-01-01T00:00:00.000Z"
        )
