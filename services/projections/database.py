"""Connections to the projections' database, and its errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
import structlog

from services.projections import schema
from services.projections.port import ProjectionUnavailableError

COMMAND_TIMEOUT_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)

_AWAY: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # A connection that was lost in the middle of something.
    OSError,
    TimeoutError,
)

SETTINGS: Final = {
    "application_name": "twofold",
    # All of it can be folded again from Kafka, position included: a crash of the database loses a
    # moment's rows and their position together, and costs reading them again.
    "synchronous_commit": "off",
    # A plan that was made while a table was new and small would read all of it ever after.
    "enable_seqscan": "off",
    "jit": "off",
    "timezone": "UTC",
}


async def open_pool(database: str, *, largest: int = 10, place: str = "") -> asyncpg.Pool:
    """
    A pool whose connections see the schema of this code; it is created where it is missing.

    Args:
        database: PostgreSQL's address, with its password.
        largest: Connections at most.
        place: The schema's name, where it isn't its own.

    Raises:
        ProjectionUnavailableError: The database can't be reached.
    """
    place = place or schema.name()
    with translated():
        connection = await asyncpg.connect(database, timeout=5, server_settings=SETTINGS)
        try:
            if await schema.ensure(connection, place):
                log.info("schema.made", schema=place)
        except asyncpg.InsufficientPrivilegeError as error:
            raise ProjectionUnavailableError(
                f"Schema {place} isn't there yet; twofold project makes it."
            ) from error
        finally:
            await connection.close(timeout=5)
        pool: asyncpg.Pool = await asyncpg.create_pool(
            database,
            min_size=0,
            max_size=largest,
            timeout=5,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            reset=_as_it_was,
            server_settings={**SETTINGS, "search_path": place},
        )
    return pool


async def _as_it_was(_: object) -> None:
    """Nobody changes a session's settings here; an open transaction is rolled back anyway."""


async def one(pool: asyncpg.Pool, statement: str, *arguments: object) -> asyncpg.Record:
    """
    Ask for the one row that *statement* always gives.

    Raises:
        ProjectionUnavailableError: The database can't be asked, or nothing is folded yet.
    """
    with translated():
        row: asyncpg.Record | None = await pool.fetchrow(statement, *arguments)
    if row is None:
        raise ProjectionUnavailableError("Nothing is folded yet.")
    return row


@contextmanager
def translated() -> Iterator[None]:
    """
    Translate asyncpg's errors, once.

    Raises:
        ProjectionUnavailableError: In place of any of them.
    """
    try:
        yield
    except _AWAY as error:
        raise ProjectionUnavailableError(
            f"PostgreSQL can't be asked ({type(error).__name__}); is it where TWOFOLD_DATABASE"
            " says?"
        ) from error
