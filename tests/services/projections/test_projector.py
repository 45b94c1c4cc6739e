"""The projector on a real log and a real database: what it folds, refuses, and halts at."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from events import streams
from events.envelope import Envelope, seal
from events.log import clients
from events.log.memory import MemoryLog
from events.log.proposal import Draft
from events.records import Record
from services.projections.database import open_pool
from services.projections.projector import Projector, Source
from tests.services.projections.worlds import (
    World,
    recorded,
    registered,
    running,
    until,
    uuid,
)


@pytest.fixture
def world(own_world: World) -> World:
    """Each test has a log of its own."""
    return own_world


async def halted(world: World) -> asyncpg.Record:
    """Wait for the one halt."""

    async def is_halted() -> bool:
        return bool(await world.pool.fetchval("SELECT count(*) FROM halt"))

    await until(is_halted)
    row = await world.pool.fetchrow("SELECT * FROM halt")
    assert row
    return row


def lost(logs: Sequence[Mapping[str, object]]) -> bool:
    """Whether a projector noticed that another had moved its partition."""
    return any(line["event"] == "partition.lost" for line in logs)


class TestFence:
    async def test_two_projectors_at_once_write_no_row_twice(self, world: World) -> None:
        """Without leases both fold everything: the compare-and-set lets each record in once."""
        async with world.folding():
            organisation = await world.organisation()
            staff, _, _ = await world.enrolled(organisation)
        partition = world.partition(organisation)
        assert partition is not None
        second_pool = await open_pool(world.database)
        loaded = await world.loads.by_staff(staff)
        assert loaded

        async def forever(pool: asyncpg.Pool) -> None:
            while True:
                await Projector(pool, world.sources[0], partition, world.ring.mac.keys).run()

        try:
            with capture_logs() as logs:
                async with running(forever(world.pool)), running(forever(second_pool)):
                    steps = 0
                    # On a busy machine one of them may be far behind for a while.
                    while steps < 60 or (steps < 1_000 and not lost(logs)):
                        await world.login(loaded, 500 + steps)
                        loaded = await world.loads.by_staff(staff)
                        assert loaded
                        steps += 1
        finally:
            await second_pool.close()

        count = "SELECT count(*) FROM login_history WHERE staff_id = $1"
        assert await world.pool.fetchval(count, staff) == steps
        assert loaded.person.last_time_step == 499 + steps
        assert lost(logs)

    async def test_stopped_in_the_middle_it_goes_on_where_it_was(self, world: World) -> None:
        """Its transaction is all or nothing, whenever it dies."""
        async with world.folding():
            organisation = await world.organisation()
        partition = world.partition(organisation)
        assert partition is not None
        people = [uuid() for _ in range(300)]
        batches = [
            world.signer.batch(
                world.proposal(Draft(streams.account(organisation, one), registered()), heads={}),
                datetime.now(UTC),
            )
            for one in people
        ]
        for first in range(0, 300, 30):
            await world.log.append(
                partition, [value for one in batches[first : first + 30] for value in one.values]
            )
        end = await world.log.end(partition)
        position = "SELECT next_offset FROM partition_state WHERE topic = $1 AND partition = $2"
        pause = 0.0
        while await world.pool.fetchval(position, world.events, partition) < end:
            pause += 0.004
            projector = Projector(world.pool, world.sources[0], partition, world.ring.mac.keys)
            async with running(projector.run()):
                await asyncio.sleep(pause)  # It is cut off sooner or later, wherever it is.
        count = "SELECT count(*) FROM staff_account WHERE organisation_id = $1"
        assert await world.pool.fetchval(count, organisation) == 300
        heads = await world.pool.fetchval(
            "SELECT count(*) FROM stream_head WHERE stream LIKE $1", f"{organisation}/account/%"
        )
        assert heads == 300


class TestWhatItRefuses:
    async def test_garbage_and_forgeries_are_quarantined_and_reading_goes_on(
        self, world: World
    ) -> None:
        async with world.folding():
            organisation = await world.organisation()
            partition = world.partition(organisation)
            assert partition is not None
            forged = replace(world.signer, key=bytes(32)).batch(
                world.proposal(
                    Draft(streams.account(organisation, uuid()), registered()), heads={}
                ),
                datetime.now(UTC),
            )
            garbage = [b"", b"\x00\xff\x00", b'{"a": 1}', b"[" * 5_000, b'{"a":1e400}']
            with capture_logs() as logs:

                async def all_told() -> bool:
                    events = [line["event"] for line in logs]
                    return events.count("record.quarantined") == 6

                await produce(world, partition, [*garbage, *forged.values])
                staff = await world.person(organisation)
                # A batch is told of after it was committed, and so after its writer knows.
                await until(all_told)

            assert await world.loads.by_staff(staff)
            rows = await world.pool.fetch("SELECT fate, value FROM quarantine ORDER BY 1 DESC")
            fates = [row["fate"] for row in rows]
            assert fates == ["malformed"] * 5 + ["forged"]
            assert {bytes(row["value"]) for row in rows} == {*garbage, *forged.values}

    async def test_an_authentic_record_of_an_unknown_type_halts_that_partition_alone(
        self, world: World
    ) -> None:
        async with world.folding():
            organisation = await world.organisation()
            partition = world.partition(organisation)
            assert partition is not None
            with capture_logs() as logs:
                await world.log.append(partition, [unknown_type(world, organisation)])
                row = await halted(world)

            assert (row["partition"], row["kind"]) == (partition, "NewerWriterError")
            assert "upgrade this reader" in row["reason"]
            assert any(
                line["event"] == "partition.halted" and line["log_level"] == "error"
                for line in logs
            )
            elsewhere = await world.organisation(1 - partition)
            assert await world.person(elsewhere)


def unknown_type(world: World, organisation: str) -> bytes:
    now, stream = datetime.now(UTC), streams.organisation(organisation)
    envelope = Envelope(
        id=uuid(),
        source="twofold/newer",
        type="twofold.organisation_renamed.v1",
        time=now,
        subject=stream,
        deadline=now + timedelta(seconds=10),
        actor="system",
        correlation_id=uuid(),
        data={"name": "Newer"},
    )
    return seal(envelope, world.ring.mac.current, world.ring.mac.key)


async def produce(world: World, partition: int, values: Sequence[bytes]) -> None:
    """Write as somebody does who has nothing but access to Kafka."""
    async with clients.producer(world.kafka) as producer:
        for value in values:
            await producer.send_and_wait(world.events, value, partition=partition)


class _Broken:
    """A broker that lies: gives the records of a log as *change* would have them."""

    def __init__(self, log: MemoryLog, lost: int | None = None, cut: int | None = None) -> None:
        self.partitions, self._log, self._lost, self._cut = log.partitions, log, lost, cut

    async def append(self, partition: int, values: Sequence[bytes]) -> int:
        return await self._log.append(partition, values)

    async def end(self, partition: int) -> int:
        return await self._log.end(partition) if self._cut is None else self._cut

    async def read(self, partition: int, start: int) -> AsyncIterator[Sequence[Record]]:
        async for records in self._log.read(partition, start):
            yield [record for record in records if record.offset != self._lost]


async def memory_log(world: World) -> MemoryLog:
    """The history's first partition, in memory."""
    log = MemoryLog(world.ring.mac.keys)
    for record in await recorded(world.log, 0):
        await log.append(0, [record.value or b""])
    return log


class TestWhatItHaltsAt:
    async def test_a_hole(self, world: World) -> None:
        for _ in range(3):
            await world.log.append(0, [b"x"])
        source = Source(world.events, _Broken(await memory_log(world), lost=2))
        async with running(Projector(world.pool, source, 0, world.ring.mac.keys).run()):
            row = await halted(world)
        assert row["kind"] == "HoleError"
        assert (
            await world.pool.fetchval(
                "SELECT next_offset FROM partition_state WHERE topic = $1 AND partition = 0",
                world.events,
            )
            == 2
        )

    @pytest.mark.parametrize("broken", ["replaced", "cut"])
    async def test_a_log_that_is_not_the_one_it_folded(self, world: World, broken: str) -> None:
        """Its last record is read again after each reconnection."""
        await world.log.append(0, [b"x"])
        good = await memory_log(world)
        source = Source(world.events, good)
        async with running(Projector(world.pool, source, 0, world.ring.mac.keys).run()):

            async def is_folded() -> bool:
                return await position(world) == 2

            await until(is_folded)
        other = MemoryLog(world.ring.mac.keys)
        await other.append(0, [good.judged[0][0].record.value or b""])
        await other.append(0, [b"y"])
        cut = 1 if broken == "cut" else None
        source = Source(world.events, _Broken(other, cut=cut))
        async with running(Projector(world.pool, source, 0, world.ring.mac.keys).run()):
            row = await halted(world)
        assert row["kind"] == "OtherLogError"


async def position(world: World) -> int | None:
    found: int | None = await world.pool.fetchval(
        "SELECT next_offset FROM partition_state WHERE topic = $1 AND partition = 0", world.events
    )
    return found


class TestLease:
    async def test_another_process_takes_over_when_one_is_gone(self, world: World) -> None:
        first, second = world.projections(), world.projections()
        names = {f"{world.events}/0", f"{world.events}/1"}
        leading = asyncio.ensure_future(first.run())

        async def first_leads() -> bool:
            return all(first.leases.holds(name) for name in names)

        async def second_leads() -> bool:
            return all(second.leases.holds(name) for name in names)

        await until(first_leads)
        async with running(second.run()):
            organisation = await world.organisation()
            assert not any(second.leases.holds(name) for name in names)
            leading.cancel()
            await asyncio.wait([leading])
            await until(second_leads)
            assert await world.person(organisation)
