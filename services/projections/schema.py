"""
The schema: named after the fingerprint of everything in it, so that there are no migrations.

A process whose code defines something else computes another name, and folds a schema of its own
from Kafka, beside the one that others still read.
"""

import json
from functools import cache
from hashlib import sha256

import asyncpg

from services.projections import bookkeeping, roles, tables
from services.projections.tables.table import Table

_LOCK = int.from_bytes(sha256(b"twofold.schema").digest()[:7])
"""The advisory lock under which a schema is made."""

_IS_THERE = "SELECT to_regnamespace($1) IS NOT NULL"


def all_tables() -> tuple[Table, ...]:
    """Every table that batches write."""
    folded = tuple(projection.table for projection in tables.ALL)
    return (*bookkeeping.TABLES, *folded, tables.VAULT_ENTRY)


@cache
def statements() -> tuple[str, ...]:
    """What creates the schema's contents, in order."""
    views = (view for projection in tables.ALL for view in projection.views)
    return (*bookkeeping.OTHERS, *(table.definition for table in all_tables()), *views)


@cache
def name() -> str:
    """The schema's name: ``twofold_`` and twelve hexadecimal digits of its definition's digest."""
    folds = [
        (p.table.name, p.version, [model.model_json_schema() for model in p.models])
        for p in tables.ALL
    ]
    definition = json.dumps([statements(), folds], sort_keys=True)
    return f"twofold_{sha256(definition.encode()).hexdigest()[:12]}"


def beside() -> str:
    """Where the schema is folded afresh while the one of its `name` is read."""
    return f"{name()}_beside"


def channel(topic: str) -> str:
    """The NOTIFY channel on which the positions of *topic* in this schema are announced."""
    return f"twofold_{sha256(f'{name()}/{topic}'.encode()).hexdigest()[:24]}"


async def ensure(connection: asyncpg.Connection, place: str = "") -> bool:
    """
    Create the schema where it is missing; processes that start together wait for the first.

    Roles that there are get their rights on it (`services.projections.roles`).

    Args:
        connection: Outside a transaction.
        place: Under another name than its own.

    Returns:
        Whether it was created now.

    Raises:
        asyncpg.PostgresError: The database can't be asked.
    """
    place = place or name()
    # Before the lock as well, which not every role may take.
    if await connection.fetchval(_IS_THERE, place):
        return False
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval(_IS_THERE, place):
            return False
        await connection.execute(f"CREATE SCHEMA {place}")
        await connection.execute(f"SET LOCAL search_path TO {place}")
        for statement in statements():
            await connection.execute(statement)
        await roles.grant(connection, place)
        return True
