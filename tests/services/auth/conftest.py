"""Fixtures of auth's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.services.auth.stage import Stage, memory_stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Give the service in memory, empty."""
    async with memory_stage() as made:
        yield made
