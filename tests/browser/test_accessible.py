"""
Every page for everybody: axe-core, light and dark, 320 px, 200 % zoom; and by keyboard alone.

The pages are all templates with made-up data, so that states that are rare are looked at too.
"""

from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Visitor
from tests.browser.people import Agency, Staffing, System
from tests.browser.playing import heading, is_titled
from tests.browser.preview import previews
from tests.browser.samples import PAGES

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]
RUN = """async (tags) => (await axe.run({runOnly: tags, resultTypes: ["violations"]})).violations
    .map((one) => one.id + ": " + one.nodes.map((node) => node.target.join(" ")).join(", "))"""

SMALL = """() => [...document.querySelectorAll("button, .button, summary, input:not([hidden])")]
    .filter((one) => one.type !== "hidden" && one.getClientRects().length)
    .map((one) => [one.outerHTML, (one.closest(".choice") ?? one).getBoundingClientRect()])
    .filter(([, box]) => box.height < 24 || box.width < 24)
    .map(([html]) => html)"""
"""What is pressed and smaller than fingers need (WCAG 2.2, 2.5.8)."""


@pytest.fixture(scope="module")
def samples() -> Iterator[str]:
    """Serve every page's template with made-up data; gives the address."""
    with previews() as url:
        yield url


@pytest.fixture(scope="module")
async def wide(chromium: Browser) -> AsyncIterator[Page]:
    """Give a page as wide as a desk's screen."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
    yield await context.new_page()
    await context.close()


async def violations(page: Page, tags: list[str]) -> list[Any]:
    """What axe-core finds."""
    await page.evaluate(AXE)
    return list(await page.evaluate(RUN, tags))


@pytest.mark.parametrize("name", PAGES)
async def test_every_page_keeps_nobody_out(name: str, samples: str, wide: Page) -> None:
    await wide.emulate_media(color_scheme="light", reduced_motion="reduce")
    answer = await wide.goto(f"{samples}/preview/{name}")
    # A page that can't be made is answered with one that keeps nobody out either.
    assert answer is not None
    assert name.startswith("problem") or answer.ok
    assert await violations(wide, WCAG) == []
    await wide.emulate_media(color_scheme="dark")
    assert await violations(wide, COLOURS) == []
    assert await heading(wide).count() == 1
    # 200 % zoom halves the CSS pixels; 320 is what pages must fit (WCAG 2.2, 1.4.10).
    for width in (640, 320):
        await wide.set_viewport_size({"width": width, "height": 450})
        assert await wide.evaluate("document.documentElement.scrollWidth") <= width
    assert await wide.evaluate(SMALL) == []
    await wide.set_viewport_size({"width": 1280, "height": 900})


class TestByKeyboardAlone:
    async def test_an_invited_person_gets_in(
        self, visitor: Visitor, system: System, agency: Agency, staffing: Staffing
    ) -> None:
        ada = await agency.person("Ada Clarke", joined=False)
        page = await visitor()
        await page.goto(await staffing.link(ada))
        await press(page, "Continue", "Enter")
        await is_titled(page, "Choose a new password")
        await page.keyboard.type(ada.password)
        await press(page, "Continue", "Enter")
        await is_titled(page, "Two-factor authentication")
        await press(page, "No Thanks", "Space", role="radio")
        await press(page, "Continue", "Enter")
        await is_titled(page, "Your new password is set")
        await press(page, "Log in", "Enter", role="link")
        await is_titled(page, "Log in")
        await page.keyboard.type(ada.username)
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Password", exact=True)).to_be_focused()
        await page.keyboard.type(ada.password)
        await page.keyboard.press("Enter")
        await is_titled(page, "You are logged in")
        await press(page, "Log out", "Enter")
        await expect(page.get_by_text("You are logged out.")).to_be_visible()

    async def test_the_actions_menu_opens_and_closes(self, samples: str, visitor: Visitor) -> None:
        page = await visitor()
        await page.goto(f"{samples}/preview/profile")
        summary = page.locator("details.menu > summary")
        for _ in range(15):
            await page.keyboard.press("Tab")
            if await summary.evaluate("one => one === document.activeElement"):
                break
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        disable = page.get_by_role("link", name="Disable Two Factor Authentication")
        await expect(disable).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(disable).to_be_hidden()
        await expect(summary).to_be_focused()


async def press(page: Page, name: str, key: str, role: Any = "button") -> None:
    """Go to what is called *name* with Tab, and press *key*."""
    wanted = page.get_by_role(role, name=name, exact=role == "button")
    for _ in range(25):
        if await wanted.first.evaluate("one => one === document.activeElement"):
            await page.keyboard.press(key)
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{name} can't be reached with Tab")
