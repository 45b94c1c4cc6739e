"""One process at a time deals with a partition: PostgreSQL's advisory locks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Final
from zlib import crc32

import asyncpg

from services.projections.port import ProjectionUnavailableError
from services.staff.ports import LeaseLostError

BEAT: Final = timedelta(seconds=2)
_TAKE: Final = "SELECT pg_try_advisory_lock($1, $2)"


def advisory_leases(
    database: str, name: str = "twofold.staff", beat: timedelta = BEAT
) -> Callable[[int], AbstractAsyncContextManager[None]]:
    """
    Leases of partitions, each held by a connection of its own and over when that is lost.

    Args:
        database: PostgreSQL's address.
        name: Tells these leases from others; at most one holder of each (name, partition).
        beat: How often it is asked for, and looked after.
    """
    space, seconds = crc32(name.encode()) - 2**31, beat.total_seconds()

    @asynccontextmanager
    async def lease(partition: int) -> AsyncIterator[None]:
        try:
            connection = await asyncpg.connect(database, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise ProjectionUnavailableError("PostgreSQL is away.") from error
        try:
            await _take(connection, (space, partition), seconds)
            async with _watched(connection, seconds):
                yield
        finally:
            connection.terminate()

    return lease


async def _take(
    connection: "asyncpg.Connection[asyncpg.Record]", lock: tuple[int, int], every_s: float
) -> None:
    try:
        # Asked again and again, for a lock that is waited for would outlive a cancelled task.
        while not await connection.fetchval(_TAKE, *lock):  # noqa: ASYNC110
            await asyncio.sleep(every_s)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ProjectionUnavailableError("PostgreSQL is away.") from error


@asynccontextmanager
async def _watched(
    connection: "asyncpg.Connection[asyncpg.Record]", every_s: float
) -> AsyncIterator[None]:
    """Cancel what is inside once the connection, and so the lock, is lost."""
    inside = asyncio.current_task()
    lost = False

    async def watch() -> None:
        nonlocal lost
        try:
            while True:
                await asyncio.sleep(every_s)
                await connection.fetchval("SELECT 1", timeout=every_s + 1)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            lost = True
            if inside is not None:
                inside.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if lost and inside is not None and inside.uncancel() == 0:
            raise LeaseLostError from None
        raise
    finally:
        watcher.cancel()
