"""Fixtures of auth's tests."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.services.auth.stage import Stage
from tests.services.auth.stages import memory_stage, real_stage
from tests.services.auth.web_client import Web


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Give the service in memory, empty."""
    async with memory_stage() as made:
        yield made


@pytest.fixture
def web(stage: Stage) -> Web:
    """Give the service in memory over HTTP."""
    return stage.open()


@pytest.fixture(scope="module")
async def running(kafka: str, database: str) -> AsyncIterator[Stage]:
    """Give the service on the real servers, folded all the while."""
    async with real_stage(kafka, database) as made:
        yield made


@pytest.fixture
def real(running: Stage) -> Stage:
    """Give the same, with the decisions' clock where it is."""
    running.ahead = timedelta(0)
    return running
