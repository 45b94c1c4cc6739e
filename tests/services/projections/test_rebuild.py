"""Folding afresh beside what is read, and switching while everything goes on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import pytest

from events import keys, streams
from events.log.proposal import Draft
from events.organisation import TwoFactorPolicyChanged
from events.vault.sealing import seal
from services.projections import schema
from services.projections.comparison import compare
from services.projections.leftovers import prune
from services.projections.rebuild import RebuildError, rebuild
from services.projections.writing import FenceError, load, write
from tests.services.projections.everything import everything
from tests.services.projections.worlds import World, make_world, until, uuid


@pytest.fixture(scope="module")
async def world(kafka: str, database: str) -> AsyncIterator[World]:
    async with make_world(kafka, database) as made, made.folding():
        await everything(made)
        yield made


WAITS_FOR_IT: Final = """
    SELECT count(*) FROM pg_locks WHERE relation = 'notify_lease'::regclass AND NOT granted
"""


async def rebuilt(world: World) -> str:
    # What an earlier one left in the same second would have the same name.
    await prune(world.database, force=True)
    done = await rebuild(
        world.database, world.sources, world.vault_topic, world.ring,
        patience=timedelta(seconds=30),
    )  # fmt: skip
    assert done.schema == schema.name()
    assert done.held_up < timedelta(seconds=4)
    return done.previous


async def put(world: World) -> str:
    """Put an entry into the vault."""
    entry = seal(
        b"secret",
        entry_id=uuid(),
        kind="personal",
        owner=uuid(),
        deadline=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1),
        key=world.ring.encryption,
    )
    await world.vault.put(entry)
    return entry.id


async def named(world: World, place: str) -> int:
    """Which schema has that name now."""
    return int(await world.pool.fetchval("SELECT to_regnamespace($1)::oid", place))


async def equal(world: World) -> bool:
    found = await compare(world.database, world.kafka, world.ring.mac.keys, topic=world.events)
    return found.equal


async def test_while_people_go_on_writing(world: World) -> None:
    """No write fails, none is lost, nothing altered stays, and what isn't folded is kept."""
    organisation = await world.organisation()
    staff_id, _, _ = await world.enrolled(organisation)
    await world.pool.execute(
        "UPDATE organisation_policy SET name = 'Mine',"
        " state = jsonb_set(state, '{name}', '\"Mine\"') WHERE organisation_id = $1",
        organisation,
    )
    session = uuid()
    await world.pool.execute("INSERT INTO session_activity VALUES ($1, now())", session)
    written, going = 0, True

    async def go_on() -> None:
        nonlocal written
        while going:
            fact = TwoFactorPolicyChanged(mandatory=bool(written % 2), reason="Insurance")
            await world.write(Draft(streams.organisation(organisation), fact))
            loaded = await world.loads.by_staff(staff_id)
            assert loaded is not None
            written += 1

    writing = asyncio.create_task(go_on())
    try:
        await rebuilt(world)
        before = written
        async with asyncio.timeout(20):
            while written < before + 5:
                assert not writing.done() or writing.result()
                await asyncio.sleep(0.01)
    finally:
        going = False
        await writing
    name = await world.pool.fetchval(
        "SELECT name FROM organisation_policy WHERE organisation_id = $1", organisation
    )
    assert name == "Lettings"
    assert await world.pool.fetchval("SELECT count(*) FROM session_activity WHERE id = $1", session)
    assert await equal(world)


async def test_again_and_what_was_before_is_cleared_away(world: World) -> None:
    previous = await rebuilt(world)
    dropped, _ = await prune(world.database, force=True)
    assert dropped == [previous]
    assert await prune(world.database) == ([], [])
    organisation = await world.organisation()
    assert await world.person(organisation)
    assert await equal(world)


async def test_who_holds_what_was_folded_before_is_fenced_off(world: World) -> None:
    """Though the position is the same: what it has in memory may be what somebody altered."""
    async with world.pool.acquire() as connection:
        before = await load(connection, world.events, 0)  # type: ignore[arg-type]
    await rebuilt(world)
    async with world.pool.acquire() as connection:
        after = await load(connection, world.events, 0)  # type: ignore[arg-type]
        assert after.next_offset == before.next_offset
        with pytest.raises(FenceError):
            await write(connection, before, before, {})  # type: ignore[arg-type]
        await write(connection, after, after, {})  # type: ignore[arg-type]


async def test_nobody_who_is_forgotten_later_stays_in_what_was_read_before(world: World) -> None:
    """No tombstone reaches it any more; whoever kept the key ring could read them for ever."""
    entry = await put(world)
    previous = await rebuilt(world)
    count = f"SELECT count(*) FROM {previous}.vault_entry"  # noqa: S608 # Ours.
    assert await world.pool.fetchval(count) == 0

    async def is_there() -> bool:
        return bool(await world.vault.find([entry]))

    await until(is_there)


async def test_nobody_waits_for_whoever_reads_the_vault(world: World) -> None:
    """Its entries went within the switch, and all logins waited behind that."""
    live = schema.name()
    at_first = await named(world, live)
    reader = await asyncpg.connect(world.database)
    try:
        await reader.execute("BEGIN")
        await reader.execute(f"SELECT count(*) FROM {live}.vault_entry")  # noqa: S608 # Ours.
        rebuilding = asyncio.create_task(rebuilt(world))

        async def is_switched() -> bool:
            return rebuilding.done() or await named(world, live) != at_first

        await until(is_switched)
        organisation = await world.organisation()
        assert await world.person(organisation)
        assert not rebuilding.done()
        await reader.execute("ROLLBACK")
        previous = await rebuilding
    finally:
        await reader.close()
    count = f"SELECT count(*) FROM {previous}.vault_entry"  # noqa: S608 # Ours.
    assert await world.pool.fetchval(count) == 0


async def test_whoever_holds_notify_s_leases_stops_no_projector(world: World) -> None:
    holder = await asyncpg.connect(world.database)
    try:
        await holder.execute("BEGIN")
        await holder.execute(f"LOCK TABLE {schema.name()}.notify_lease")
        rebuilding = asyncio.create_task(rebuilt(world))

        async def is_waiting() -> bool:
            assert not rebuilding.done()
            return bool(await world.pool.fetchval(WAITS_FOR_IT))

        await until(is_waiting)
        async with world.pool.acquire() as connection, connection.transaction():
            for table in ("partition_state", "lease"):
                await connection.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE NOWAIT")
        await holder.execute("ROLLBACK")
        assert await rebuilding
    finally:
        await holder.close()


async def test_only_one_at_a_time(world: World) -> None:
    connection = await asyncpg.connect(world.database)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({0x74776F666F6C64})")
        with pytest.raises(RebuildError, match="Somebody else"):
            await rebuilt(world)
    finally:
        await connection.close()


async def test_one_that_does_not_get_on_changes_nothing(world: World) -> None:
    """With another installation's keys it halts at the start."""
    with pytest.raises(RebuildError, match=r"Nothing was folded .* no genesis of ours"):
        await rebuild(
            world.database, world.sources, world.vault_topic, keys.generate(),
            patience=timedelta(seconds=1),
        )  # fmt: skip
    assert not await world.pool.fetchval("SELECT to_regnamespace($1) IS NOT NULL", schema.beside())
    assert await equal(world)
