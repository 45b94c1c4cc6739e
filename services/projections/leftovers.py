"""
Schemas that this code doesn't read: of other versions, from before rebuilds, of one cut off.

Nobody folds them any more, once their version's processes are gone; and what is forgotten from then
on isn't forgotten there. So a rebuild leaves no entries of the vault behind, and `twofold doctor`
complains of schemas that still hold some.

One that was folded beforehand for a version that is to start looks like that of an earlier version:
which of them it is shows only in time. Both are left alone for a day.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import asyncpg

from services.projections import schema
from services.projections.bookkeeping import LEASES
from services.projections.database import SETTINGS, translated

PREPARED_WITHIN: Final = timedelta(days=1)
"""For how long a schema may be one that was prepared for a version that is to start."""


async def prune(database: str, *, force: bool = False) -> tuple[list[str], list[str]]:
    """
    Drop the schemas that this code doesn't read.

    Args:
        database: PostgreSQL's address, as the schemas' owner.
        force: Also those that somebody folds, or folded within a day: another version's.

    Returns:
        Those that were dropped, and those that may still be in use.

    Raises:
        ProjectionUnavailableError: PostgreSQL is away.
    """
    dropped, used = [], []
    with translated():
        connection = await asyncpg.connect(database, timeout=5, server_settings=SETTINGS)
        try:
            for place in await _others(connection):
                if not force and await _is_used(connection, place):
                    used.append(place)
                    continue
                await connection.execute(f"DROP SCHEMA {place} CASCADE")
                dropped.append(place)
        finally:
            await connection.close(timeout=5)
    return dropped, used


async def unforgetting(database: str) -> Sequence[str]:
    """
    Schemas that nobody folds and that hold entries of the vault: no tombstone reaches those.

    Args:
        database: PostgreSQL's address, as the operator, or as the schemas' owner.

    Returns:
        Their names; also of those that this role can't look into.

    Raises:
        ProjectionUnavailableError: PostgreSQL is away.
    """
    with translated():
        connection = await asyncpg.connect(database, timeout=5, server_settings=SETTINGS)
        try:
            return [one for one in await _others(connection) if await _holds(connection, one)]
        finally:
            await connection.close(timeout=5)


async def _others(connection: asyncpg.Connection) -> list[str]:
    return [row["nspname"] for row in await connection.fetch(_OTHERS, schema.name())]


async def _holds(connection: asyncpg.Connection, place: str) -> bool:
    try:
        if await _is_used(connection, place) or not await _is_there(connection, place, _VAULT):
            return False
        some = f"SELECT EXISTS (SELECT 1 FROM {place}.{_VAULT})"  # noqa: S608 # Names of ours.
        return bool(await connection.fetchval(some))
    except asyncpg.InsufficientPrivilegeError:
        return True


async def _is_used(connection: asyncpg.Connection, place: str) -> bool:
    """
    Whether somebody holds a lease in it, or has read for it lately under a version's own name.

    An older version may have kept all leases in one table.
    """
    lately = f"SELECT count(*) FROM {place}.partition_state WHERE read_at > now() - $1::interval"  # noqa: S608 # Ours.
    if _OF_A_VERSION.fullmatch(place) and await connection.fetchval(lately, PREPARED_WITHIN):
        return True
    for table in LEASES:
        held = f"SELECT count(*) FROM {place}.{table} WHERE until > clock_timestamp()"  # noqa: S608
        if await _is_there(connection, place, table) and await connection.fetchval(held):
            return True
    return False


async def _is_there(connection: asyncpg.Connection, place: str, table: str) -> bool:
    return bool(await connection.fetchval(_IS_THERE, place, table))


_OF_A_VERSION: Final = re.compile(r"twofold_[0-9a-f]{12}")

_VAULT: Final = "vault_entry"

_IS_THERE: Final = """
    SELECT EXISTS (
        SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2
    )
"""

_OTHERS: Final = """
    SELECT nspname FROM pg_namespace
     WHERE nspname ~ '^twofold_[0-9a-f]{12}(_beside|_until_[0-9]{14})?$' AND nspname <> $1
     ORDER BY nspname
"""
