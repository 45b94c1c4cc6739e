"""What people do on the pages, step by step."""

import io
from urllib.parse import parse_qs, urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Locator, Page, expect

from tests.browser.people import Somebody

SESSION = "__Host-session"

EITHER = pytest.mark.parametrize(
    "page", [False, True], indirect=True, ids=["no JavaScript", "JavaScript"]
)
"""The flow is shown without JavaScript and with it."""


async def send(page: Page, button: str) -> None:
    """Press a button that sends a form, and wait for the page that answers."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=button, exact=True).click()


async def log_in(page: Page, url: str, someone: Somebody, code: str | None = None) -> None:
    """Both screens of the login; ends where it leads."""
    await page.goto(f"{url}/login")
    await page.get_by_label("Username").fill(someone.username)
    await send(page, "Continue")
    await credentials(page, someone.password, code)


async def credentials(page: Page, password: str, code: str | None = None) -> None:
    """The second screen alone."""
    await page.get_by_label("Password", exact=True).fill(password)
    if code is not None:
        await page.get_by_label("Authenticator code").fill(code)
    await send(page, "Log in")


async def session_in(page: Page) -> str:
    """The token of the session that the browser has."""
    cookies = await page.context.cookies()
    return next(one["value"] for one in cookies if one["name"] == SESSION)


async def bring_session(page: Page, url: str, token: str) -> None:
    """Let the browser have a session that was opened elsewhere."""
    await page.context.add_cookies(
        [
            {
                "name": SESSION,
                "value": token,
                "url": url.replace("http://", "https://"),
                "secure": True,
                "httpOnly": True,
                "sameSite": "Lax",
            }
        ]
    )


async def choose_password(page: Page, password: str) -> None:
    """The screen of a new password."""
    await page.get_by_label("New password", exact=True).fill(password)
    await send(page, "Continue")


async def choose(page: Page, label: str) -> None:
    """One of the three choices."""
    await page.get_by_role("radio", name=label).check()
    await send(page, "Continue")


async def turn_on(page: Page, someone: Somebody) -> None:
    """Give the first code; once more where a new time-step has begun meanwhile."""
    for _ in range(2):
        await page.get_by_label("Type the code that the app shows").fill(someone.first_code())
        await send(page, "Turn on two-factor authentication")
        if "isn’t right" not in await page.locator("main").inner_text():
            break


async def scan(page: Page) -> str:
    """Read the QR code off the screen, as a phone does; gives the secret in it, base32."""
    picture = await page.locator(".qr").screenshot()
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    assert len(found) == 1
    uri = urlsplit(found[0].text)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    return parse_qs(uri.query)["secret"][0]


def heading(page: Page) -> Locator:
    """The one heading of the first level."""
    return page.get_by_role("heading", level=1)


async def is_titled(page: Page, text: str) -> None:
    """Wait until the page has this heading."""
    await expect(heading(page)).to_have_text(text)
