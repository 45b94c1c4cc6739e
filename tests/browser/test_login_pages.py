"""Logging in, as people do it."""

from playwright.async_api import Page, expect

from tests.browser.people import Agency, Somebody, System


async def log_in(page: Page, url: str, someone: Somebody, code: str | None = None) -> None:
    """Both screens of the login; ends where it leads."""
    await page.goto(f"{url}/login")
    await page.get_by_label("Username").fill(someone.username)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_label("Password", exact=True).fill(someone.password)
    if code is not None:
        await page.get_by_label("Authenticator code").fill(code)
    await page.get_by_role("button", name="Log in").click()


class TestLogin:
    async def test_password_and_code_together_open_a_session(
        self, page: Page, system: System, agency: Agency
    ) -> None:
        ada = await agency.person("Ada Clarke", enrolled=True)
        await log_in(page, system.auth, ada, ada.code())
        await expect(page.get_by_role("heading", level=1)).to_have_text("You are logged in")
