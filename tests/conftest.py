"""Fixtures for all tests: the real servers, a database of one's own, ids that nobody else has."""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog

from services import logs
from tests.stack import TestStack, running_stack

logs.configure("tests")  # As the services do: unconfigured, structlog shows local variables.

pytest_plugins = ["tests.checklist", "tests.sweep.plugin"]


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Commands that run in this process write less, and say so once for all."""
    before = structlog.get_config()["wrapper_class"]
    yield
    if structlog.get_config()["wrapper_class"] is not before:
        logs.configure("tests")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[TestStack]:
    """Kafka and PostgreSQL of this test run, started when the first test asks for them."""
    with running_stack(_teller(request.config)) as running:
        yield running


@pytest.fixture(scope="session")
def kafka(stack: TestStack) -> str:
    """Give the broker's address."""
    return stack.kafka


@pytest.fixture(scope="module")
async def database(stack: TestStack) -> AsyncIterator[str]:
    """Give the URL of a new, empty database for the test module; it is dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    await _administer(stack, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield urlunsplit(urlsplit(stack.database)._replace(path=f"/{name}"))
    finally:
        await _administer(stack, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def unique() -> Callable[..., str]:
    """Give a maker of names that no other test has: `unique()`, or `unique("topic")`."""

    def make(prefix: str = "t") -> str:
        return f"{prefix}-{uuid.uuid4().hex[:12]}"

    return make


@pytest.fixture
def require_tool() -> Callable[[str], str]:
    """Give `require_tool("kcat")`: its path; where it is missing, a skip, and in CI a failure."""
    return find_tool


def find_tool(name: str) -> str:
    """Find a program on the path; without it the test is skipped, or fails where CI=true."""
    path = shutil.which(name)
    if path is None:
        sentence = f"{name} is not installed (on Debian: apt-get install {name})"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return path


async def _administer(stack: TestStack, statement: str) -> None:
    # Tests stop and kill the server, so a statement may meet it while it comes back.
    async with asyncio.timeout(30):
        while True:
            try:
                connection = await asyncpg.connect(stack.database, timeout=5)
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.1)
                continue
            try:
                await connection.execute(statement)
            finally:
                await connection.close()
            return


def _teller(config: pytest.Config) -> Callable[[str], None]:
    """Give a function that shows a line on the terminal, past pytest's capturing."""
    capturing = config.pluginmanager.getplugin("capturemanager")
    reporter = config.pluginmanager.getplugin("terminalreporter")

    def say(text: str) -> None:
        if capturing is None or reporter is None:
            return
        with capturing.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(text)

    return say
