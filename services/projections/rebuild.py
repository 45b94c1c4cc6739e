"""
Folding everything afresh, beside the schema that is read, and switching while all goes on.

The switch is one transaction that gives the new schema the old one's name. Every connection finds
it there at its next statement: PostgreSQL resolves names anew, prepared statements included. A
projector that still holds what was folded before is fenced off by `partition_state.fold`, and
begins again from the new one. Nobody folds the old one from then on, so its entries of the vault
go, right behind the switch: no tombstone would reach them. `twofold doctor` complains where it was
cut off between the two.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from events.keys import KeyRing
from events.vault.topic import VaultTopic
from services.projections import schema
from services.projections.database import SETTINGS, open_pool, translated
from services.projections.projector import Source
from services.projections.running import Projections

NEARLY: Final = 1_000
"""How many records the new one may be behind when a switch is tried."""

SWITCHED_WITHIN: Final = timedelta(seconds=2)
"""How long one try may hold the projectors up."""

_LOOK_SECONDS: Final = 0.1
_LOCK: Final = 0x74776F666F6C64
"""The advisory lock of the one who rebuilds."""

Positions = Mapping[tuple[str, int], int]
Advance = Callable[[int, int], None]
"""Told how many records are folded, of how many."""


class RebuildError(Exception):
    """It wasn't rebuilt; the sentence says why. What is read is as it was."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """
    What was switched to.

    Attributes:
        schema: Its name.
        previous: What the one that was read before is called now, without entries of the vault;
            `services.projections.leftovers.prune` drops it.
        records: How many are folded in it.
        held_up: How long projectors waited at the switch.
    """

    schema: str
    previous: str
    records: int
    held_up: timedelta


async def rebuild(
    database: str,
    sources: Sequence[Source],
    vault: VaultTopic,
    ring: KeyRing,
    *,
    patience: timedelta = timedelta(seconds=120),
    advance: Advance = lambda _, __: None,
) -> Rebuilt:
    """
    Fold afresh, and switch.

    Args:
        database: PostgreSQL's address, as the schemas' owner.
        sources: Topics with the acceptance rule.
        vault: The vault's topic.
        ring: The keys.
        patience: How long nothing may move before it is given up.
        advance: Told of progress.

    Raises:
        RebuildError: Somebody else is rebuilding, or it didn't get on.
        ProjectionUnavailableError: PostgreSQL is away.
        LogUnavailableError: Kafka is away.
    """
    with translated():
        connection = await asyncpg.connect(database, timeout=5, server_settings=SETTINGS)
    try:
        with translated():
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                raise RebuildError("Somebody else is rebuilding just now.")
            await schema.ensure(connection)
            # One that was cut off begins anew: it may have been folded by other code.
            await connection.execute(f"DROP SCHEMA IF EXISTS {schema.beside()} CASCADE")
        pool = await open_pool(database, largest=8, place=schema.beside())
        try:
            projections = Projections(pool, sources, vault, ring)
            due = _Due(await projections.due(), vault.topic)
            async with _running(projections) as stop:
                return await _catch_up(connection, due, stop, patience, advance)
        finally:
            await pool.close()
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.execute(f"DROP SCHEMA IF EXISTS {schema.beside()} CASCADE")
    finally:
        await connection.close(timeout=5)


Stop = Callable[[], "asyncio.Future[None]"]


@dataclass(frozen=True, slots=True)
class _Due:
    """
    How far the new one is to be at least.

    Attributes:
        ends: Where the log ended as the rebuild began; -1: to follow it must do.
        vault: The vault's topic.
    """

    ends: Positions
    vault: str


@asynccontextmanager
async def _running(projections: Projections) -> AsyncIterator[Stop]:
    """Fold beside; the function that is given stops it, and gives what to wait for."""
    task = asyncio.ensure_future(projections.run())

    async def ended() -> None:
        task.cancel()
        await asyncio.wait([task])

    try:
        yield lambda: asyncio.ensure_future(ended())
    finally:
        await ended()
        if not task.cancelled():
            task.result()


async def _catch_up(
    connection: asyncpg.Connection,
    due: _Due,
    stop: Stop,
    patience: timedelta,
    advance: Advance,
) -> Rebuilt:
    loop = asyncio.get_running_loop()
    folded, give_up = -1, loop.time() + patience.total_seconds()
    while True:
        with translated():
            wanted = await _wanted(connection, due)
            there = await _there(connection, due)
        now = sum(max(offset, 0) for offset in there.values())
        advance(now, sum(max(offset, 0) for offset in wanted.values()))
        if now > folded:
            folded, give_up = now, loop.time() + patience.total_seconds()
        # What isn't begun can't be there soon, and projectors are held up by each try.
        if wanted.keys() <= there.keys() and _behind(wanted, there) <= NEARLY:
            rebuilt = await _switch(connection, due, stop)
            if rebuilt is not None:
                return rebuilt
        if loop.time() > give_up:
            with translated():
                halts = await connection.fetch(f"SELECT reason FROM {schema.beside()}.halt")  # noqa: S608
            why = " ".join(row["reason"] for row in halts)
            raise RebuildError(f"Nothing was folded for {patience.total_seconds():.0f} s. {why}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _switch(connection: asyncpg.Connection, due: _Due, stop: Stop) -> Rebuilt | None:
    """
    Switch, if the new one is as far as the old one soon enough; None otherwise.

    Projectors of the old one wait meanwhile, readers only for the renaming itself. The new one is
    never behind what somebody may have been told already.
    """
    live, beside, loop = schema.name(), schema.beside(), asyncio.get_running_loop()
    previous = f"{live}_until_{datetime.now(UTC):%Y%m%d%H%M%S}"
    began = loop.time()
    within = f"{SWITCHED_WITHIN // timedelta(milliseconds=1)}ms"
    locked = ", ".join(f"{live}.{table}" for table in _LOCKED)
    transaction = connection.transaction()
    with translated():
        await transaction.start()
        try:
            await connection.execute(f"SET LOCAL lock_timeout = '{within}'")
            await connection.execute(f"LOCK TABLE {locked} IN EXCLUSIVE MODE")
            while _behind(await _wanted(connection, due), await _there(connection, due)):
                if loop.time() - began > SWITCHED_WITHIN.total_seconds():
                    await transaction.rollback()
                    return None
                await asyncio.sleep(0.01)
            await connection.execute(f"LOCK TABLE {live}.partition_state IN ACCESS EXCLUSIVE MODE")
            await stop()
            for statement in _SWITCH:
                await connection.execute(statement.format(live, beside, previous))
            there = await _positions(connection, live)
            await transaction.commit()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await transaction.rollback()
            return None
        held_up = timedelta(seconds=loop.time() - began)
        # By itself, for it waits for whoever still reads the vault there: logins must not.
        await connection.execute(f"TRUNCATE {previous}.vault_entry")
    records = sum(max(offset, 0) for offset in there.values())
    return Rebuilt(live, previous, records, held_up)


async def _wanted(connection: asyncpg.Connection, due: _Due) -> Positions:
    """
    How far the new one is to be: as far as the old one, or where the log ended (*due*).

    Where nobody has folded anything in the old one yet, as before a new version starts, it says
    nothing of how far there is to go.
    """
    return {**due.ends, **await _positions(connection, schema.name())}


async def _there(connection: asyncpg.Connection, due: _Due) -> Positions:
    """
    How far the new one is; not begun, where nothing of a partition of the vault is read yet of
    which the old one holds entries.
    """
    there = await _positions(connection, schema.beside())
    held = await connection.fetch(_HELD.format(schema.name()), due.vault)
    unread = {(due.vault, row["partition"]) for row in held}
    return {place: at for place, at in there.items() if at >= 0 or place not in unread}


async def _positions(connection: asyncpg.Connection, place: str) -> dict[tuple[str, int], int]:
    rows = await connection.fetch(
        f"SELECT topic, partition, next_offset FROM {place}.partition_state"  # noqa: S608 # Ours.
    )
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


def _behind(wanted: Positions, there: Positions) -> int:
    """
    By how many records; a partition that isn't begun is behind by one at least.

    Of a topic that forgets, nothing may be left to read (-1): what its own log doesn't hold any
    more can't be waited for.
    """
    return sum(
        (max(offset - there[place], 0) if there[place] >= 0 else 0)
        if place in there
        else max(offset, 1)
        for place, offset in wanted.items()
    )


_LOCKED: Final = ("notify_lease", "session_activity", "lease", "partition_state")
"""
What mustn't move while it is taken over, in the order in which it is waited for: what services may
hold comes before what stops the projectors.
"""

_HELD: Final = """
    SELECT partition FROM {0}.partition_state AS p
     WHERE topic = $1
       AND EXISTS (SELECT 1 FROM {0}.vault_entry AS v WHERE v.partition = p.partition)
"""

_SWITCH: Final = (
    "DELETE FROM {1}.lease",
    "INSERT INTO {1}.lease SELECT * FROM {0}.lease",
    "DELETE FROM {0}.lease",
    "INSERT INTO {1}.notify_lease SELECT * FROM {0}.notify_lease",
    "DELETE FROM {0}.notify_lease",
    "INSERT INTO {1}.session_activity SELECT * FROM {0}.session_activity",
    "ALTER SCHEMA {0} RENAME TO {2}",
    "ALTER SCHEMA {1} RENAME TO {0}",
)
