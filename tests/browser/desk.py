"""What administrators and support do on the staff pages, step by step."""

from playwright.async_api import Page

from tests.browser.people import Somebody, Staffing
from tests.browser.playing import bring_session, is_titled, send

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


async def fill_step_up(page: Page, password: str, code: str) -> None:
    """The step-up's form."""
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_label("Authenticator code").fill(code)
    await send(page, "Confirm")
