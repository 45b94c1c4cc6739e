"""Fixtures of the browser tests: the whole system, a real Chromium, people to play."""

import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from infra.local.ports import free_port
from infra.local.processes import Process
from tests.browser.chromium import FLAGS
from tests.browser.people import Agency, Staffing, System
from tests.browser.system import PREFIX
from tests.conftest import find_tool
from tests.stack import TestStack

Visitor = Callable[..., Awaitable[Page]]

PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
async def system(
    stack: TestStack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """Every service, on a database and on topics that no other test has."""
    folder = tmp_path_factory.mktemp("system")
    name = f"test_{uuid.uuid4().hex[:16]}"
    connection = await asyncpg.connect(stack.database)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    found = _system(folder)
    process = Process(
        "the system",
        [sys.executable, "-m", "tests.browser.system", str(folder)],
        log=folder / "system.log",
        env={
            "TWOFOLD_MODE": "development",
            "TWOFOLD_ENVIRONMENT": "tests",
            "TWOFOLD_KAFKA": stack.kafka,
            "TWOFOLD_DATABASE": urlunsplit(urlsplit(stack.database)._replace(path=f"/{name}")),
            "TWOFOLD_KEYS": str(folder / "keys" / "keys.json"),
            "TWOFOLD_PUBLISHERS": str(folder / "keys" / "publishers.toml"),
            "TWOFOLD_AUTH_URL": found.auth,
            "TWOFOLD_STAFF_URL": found.staff,
            "TWOFOLD_SMTP": f"127.0.0.1:{free_port()}",
            "TWOFOLD_TEST_MOVED": f"{found.soon_auth} {found.soon_staff} {found.later_auth}",
            "TWOFOLD_TEST_PROJECTIONS_PORT": str(free_port()),
            PREFIX: name,
        },
        cwd=Path(__file__).parents[2],
    )
    try:
        process.start().wait_for_line("ready\n", timeout=90)
        yield found
    finally:
        process.kill()
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


def _system(folder: Path) -> System:
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(5)]
    return System(folder, *urls)


@pytest.fixture(scope="package")
async def staffing(system: System) -> AsyncIterator[Staffing]:
    """Support's first person, who registers everybody else."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        yield await Staffing.begin(system, http)


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that keeps no cookies and follows nothing."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
async def agency(staffing: Staffing) -> Agency:
    """Give an organisation that no other test has."""
    return await staffing.register_agency()


@pytest.fixture(scope="package")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    program = find_tool("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(chromium: Browser) -> AsyncIterator[Visitor]:
    """Open pages, each in a browser that nobody has used before; its arguments are a context.s."""
    async with AsyncExitStack() as closing:

        async def visit(**context: Any) -> Page:
            opened = await chromium.new_context(**context)
            closing.push_async_callback(opened.close)
            page = await opened.new_page()
            page.set_default_timeout(PATIENCE_MS)
            return page

        yield visit


@pytest.fixture
async def page(request: pytest.FixtureRequest, visitor: Visitor) -> Page:
    """
    Give a page of a browser that nobody has used before, without JavaScript.

    So every flow is shown to be complete without it; those marked `EITHER` are shown with it too.
    """
    return await visitor(java_script_enabled=getattr(request, "param", False))
