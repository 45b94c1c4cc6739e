"""The world of a test module, and progress of one's own for each test."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.services.projections.worlds import World, make_world


@pytest.fixture(scope="module")
async def world(kafka: str, database: str) -> AsyncIterator[World]:
    async with make_world(kafka, database) as made:
        yield made


@pytest.fixture
def group(unique: Callable[..., str]) -> str:
    return unique("twofold.notify")
