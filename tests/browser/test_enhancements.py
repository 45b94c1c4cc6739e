"""What JavaScript adds: comfort, and nothing that is needed."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.preview import previews
from tests.browser.test_accessible import WCAG, violations


@pytest.fixture(scope="module")
def samples() -> Iterator[str]:
    """Serve every page's template with made-up data; gives the address."""
    with previews() as url:
        yield url


@pytest.fixture
async def page(visitor: Visitor) -> Page:
    """Give a page with JavaScript, far from Greenwich."""
    return await visitor(timezone_id="Pacific/Auckland", locale="en-GB")


class TestStrength:
    async def test_is_told_as_the_password_is_typed(self, page: Page, samples: str) -> None:
        await page.goto(f"{samples}/preview/new-password")
        field, words = page.get_by_label("New password", exact=True), page.locator(".strength")
        meter = page.get_by_role("meter")
        await expect(meter).to_be_hidden()
        for typed, told in (
            ("short", "10 more characters needed."),
            ("fourteen chars", "1 more character needed."),
            ("aaaaaaaaaaaaaaaaaaaa", "Long enough, but easy to guess: it repeats itself."),
            ("harbour lanterns", "Good."),
            ("four grey harbour lanterns at dusk", "Very good."),
        ):
            await field.fill(typed)
            await expect(words).to_have_text(told)
            await expect(meter).to_be_visible()
        assert await violations(page, WCAG) == []


class TestPasswordShown:
    async def test_on_demand_and_never_when_sent(self, page: Page, samples: str) -> None:
        await page.goto(f"{samples}/preview/credentials")
        field = page.locator("#password")
        await field.fill("a lantern over 7 rivers")
        await page.get_by_role("button", name="Show password").click()
        await expect(field).to_have_attribute("type", "text")
        await page.evaluate("document.forms[0].addEventListener('submit', e => e.preventDefault())")
        await page.get_by_role("button", name="Log in").click()
        await expect(field).to_have_attribute("type", "password")


class TestForms:
    async def test_are_sent_once(self, page: Page, samples: str) -> None:
        await page.goto(f"{samples}/preview/forgot")
        await page.get_by_label("Username").fill("somebody")
        held_back = await page.evaluate("""() => {
            const held = [], button = document.querySelector("form button");
            document.forms[0].addEventListener("submit", (event) => {
                held.push(event.defaultPrevented);
                event.preventDefault();
            });
            for (const _ of [1, 2, 3]) button.click();
            return held;
        }""")
        assert held_back == [False, True, True]
        button = page.get_by_role("button", name="E-mail me a link")
        await expect(button).to_have_attribute("aria-disabled", "true")


class TestMoments:
    async def test_are_told_in_the_readers_own_time(self, page: Page, samples: str) -> None:
        await page.goto(f"{samples}/preview/home")
        moment = page.locator("dl time").first
        await expect(moment).to_have_text("24 November 2026 at 22:42 GMT+13")
        await expect(moment).to_have_attribute("title", "24 November 2026, 09:42 UTC")
