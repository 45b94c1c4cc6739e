"""Fixtures of the projections' tests."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.services.projections.worlds import World, make_world, until, uuid
from tests.stack import TestStack


@pytest.fixture(scope="module")
async def world(kafka: str, database: str) -> AsyncIterator[World]:
    """Give a log and its projections; nothing is folded before `folding`."""
    async with make_world(kafka, database) as made:
        yield made


@pytest.fixture(scope="module")
async def folded(world: World) -> AsyncIterator[World]:
    """Give a world that is folded all the while."""
    async with world.folding() as projections:

        async def ready() -> bool:
            try:
                await projections.ready()
            except Exception:  # noqa: BLE001 # Not yet.
                return False
            return True

        await until(ready)
        yield world


@pytest.fixture
async def own_world(kafka: str, stack: TestStack) -> AsyncIterator[World]:
    """Give a log and a database that no other test has: for those that break something."""
    name = f"test_{uuid().replace('-', '')[:16]}"
    connection = await asyncpg.connect(stack.database)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        database = urlunsplit(urlsplit(stack.database)._replace(path=f"/{name}"))
        async with make_world(kafka, database) as made:
            yield made
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()
