"""Whether the projections equal the history, and which row doesn't."""

from collections.abc import AsyncIterator

import pytest

from events import streams
from events.log.bulk import bounds
from events.log.proposal import Draft
from events.staff import StaffForgotten
from services.audit.history import KafkaHistory
from services.audit.verify import complaints, verify
from services.projections.comparison import Compared, Comparison, compare
from services.projections.port import ProjectionUnavailableError
from services.projections.refolding import HistoryCutError
from tests.services.projections.everything import everything
from tests.services.projections.worlds import PARTITIONS, World, make_world, until


@pytest.fixture(scope="module")
async def world(kafka: str, database: str) -> AsyncIterator[World]:
    """Give projections of every kind, folded to the end and left alone."""
    async with make_world(kafka, database) as made:
        async with made.folding():
            await everything(made)
            await made.log.append(0, [b"garbage"])

            async def folded() -> bool:
                rows = await made.pool.fetch(
                    "SELECT partition, next_offset FROM partition_state WHERE topic = $1",
                    made.events,
                )
                found = {row["partition"]: row["next_offset"] for row in rows}
                return all(
                    found.get(p) == bounds(kafka, made.events, p)[1] for p in range(PARTITIONS)
                )

            await until(folded)
        yield made


async def compared(world: World) -> Comparison:
    return await compare(world.database, world.kafka, world.ring.mac.keys, topic=world.events)


def only(found: Comparison) -> Compared:
    (differing,) = [one for one in found.tables if one.differing]
    return differing


async def test_what_was_folded_equals_the_history(world: World) -> None:
    found = await compared(world)
    assert found.equal
    assert found.unread == []
    rows = {one.table: one.rows for one in found.tables}
    assert all(rows[name] > 0 for name in rows if name != "logged_out_everywhere"), rows
    assert rows["partition_state"] == PARTITIONS


@pytest.mark.row(51)
@pytest.mark.parametrize(
    ("table", "statement", "what", "columns"),
    [
        ("staff_account", "UPDATE {} SET enrolled = NOT enrolled", "altered", ("enrolled",)),
        (
            "staff_account",
            "UPDATE {} SET role = 'support', state = jsonb_set(state, '{{role}}', '\"support\"')",
            "altered",
            ("role", "state"),
        ),
        ("two_factor_status", "UPDATE {} SET two_factor = 'gone'", "altered", ("two_factor",)),
        ("login_history", "DELETE FROM {}", "missing", ()),
        (
            "organisation_policy",
            "INSERT INTO {} SELECT 'other', name, partition, state FROM {} LIMIT 1",
            "extra",
            (),
        ),
        ("stream_head", "UPDATE {} SET digest = repeat('0', 64)", "altered", ("digest",)),
        (
            "partition_state",
            "UPDATE {} SET running = repeat('0', 64)",
            "altered",
            ("running",),
        ),
    ],
)
async def test_a_row_that_somebody_altered_is_named(
    world: World, table: str, statement: str, what: str, columns: tuple[str, ...]
) -> None:
    await world.pool.execute(f"SELECT * INTO as_it_was FROM {table}")  # noqa: S608 # Ours.
    try:
        await world.pool.execute(statement.format(table, table))
        found = only(await compared(world))
    finally:
        # No TRUNCATE: whoever reads the table just now would have to end first.
        for restoring in ("DELETE FROM {}", "INSERT INTO {} SELECT * FROM as_it_was"):
            await world.pool.execute(restoring.format(table))
        await world.pool.execute("DROP TABLE as_it_was")
    assert found.table == table
    assert {(one.what, one.columns) for one in found.differences} == {(what, columns)}
    assert all(one.key for one in found.differences)
    assert (await compared(world)).equal


async def test_a_history_that_was_cut(world: World) -> None:
    await world.pool.execute("UPDATE partition_state SET next_offset = next_offset + 1000")
    try:
        with pytest.raises(HistoryCutError):
            await compared(world)
    finally:
        await world.pool.execute("UPDATE partition_state SET next_offset = next_offset - 1000")


async def test_a_schema_that_is_not_there(world: World, kafka: str) -> None:
    other = world.database.rpartition("/")[0] + "/postgres"
    with pytest.raises(ProjectionUnavailableError, match="isn't there"):
        await compare(other, kafka, world.ring.mac.keys, topic=world.events)


@pytest.mark.row(52)
async def test_with_somebody_forgotten_the_history_holds_as_before(
    world: World, kafka: str
) -> None:
    """Erasure destroys a key in the vault, and touches no record."""
    async with world.folding():
        organisation = await world.organisation()
        staff_id, _, _ = await world.enrolled(organisation)
        before = verify(KafkaHistory(kafka, topic=world.events), world.ring.mac.keys)
        signed = [one.checkpoint("twofold/tests") for one in before]
        await world.write(Draft(streams.account(organisation, staff_id), StaffForgotten()))
    after = verify(KafkaHistory(kafka, topic=world.events), world.ring.mac.keys, signed)
    assert not list(complaints(after))
    assert sum(one.matched for one in after) == PARTITIONS
    assert (await compared(world)).equal
