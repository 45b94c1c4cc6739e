"""`python -m benchmarks`: every benchmark, on the servers that tests use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import uvloop

from benchmarks import append
from services import logs
from tests.stack import TestStack, running_stack


def main() -> None:
    """Start the servers, measure, stop them."""
    logs.configure("benchmarks", level="WARNING")
    with running_stack(print) as stack:
        uvloop.run(_measure(stack))


async def _measure(stack: TestStack) -> None:
    async with _database(stack.database) as database:
        await append.run(stack.kafka, database)


@asynccontextmanager
async def _database(server: str) -> AsyncIterator[str]:
    """A new database, dropped at the end."""
    name = f"benchmark_{uuid4().hex[:16]}"
    administrator = await asyncpg.connect(server)
    try:
        await administrator.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await administrator.close()


if __name__ == "__main__":
    main()
