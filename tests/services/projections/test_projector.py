"""The projector on a real log and a real database: what it folds, refuses, and halts at."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from events import streams
from events.acceptance import Fate, PartitionState, Record, judge
from events.envelope import Envelope, seal
from events.log import clients
from events.log.kafka import KafkaLog
from events.log.memory import MemoryLog
from events.log.proposal import Draft
from events.log.writer import SupersededError
from events.marks import CommandAccepted, CommandRejected
from events.organisation import PasswordExpiryChanged, TwoFactorPolicyChanged
from events.staff import (
    CodeChecked,
    LoggedOut,
    LoginAttempted,
    PasswordLinkIssued,
    PasswordSet,
    RoleChanged,
    StaffForgotten,
    TwoFactorDisabled,
)
from events.username import UsernameClaimed, UsernameReleased
from services.projections import schema
from services.projections.database import open_pool
from services.projections.projector import Projector, Source
from services.projections.schema import ensure
from tests.services.projections.conftest import (
    SEALED,
    World,
    digest,
    make_world,
    registered,
    running,
    until,
    uuid,
)
from tests.stack import TestStack


@pytest.fixture
async def database(stack: TestStack) -> AsyncIterator[str]:
    """Give each test a database of its own: most of them break something."""
    name = f"test_{uuid().replace('-', '')[:16]}"
    url = stack.database
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


@pytest.fixture
async def world(kafka: str, database: str) -> AsyncIterator[World]:
    """Give each test a log of its own."""
    async with make_world(kafka, database) as made:
        yield made


async def everything(world: World) -> None:
    """Write events that move every projection."""
    organisation = await world.organisation()
    await world.write(
        Draft(
            streams.organisation(organisation),
            TwoFactorPolicyChanged(mandatory=True, reason="Insurance"),
        )
    )
    await world.write(
        Draft(
            streams.organisation(organisation),
            PasswordExpiryChanged(reason="As agreed", max_age_days=90),
        )
    )
    username = digest()
    staff, _, _ = await world.enrolled(organisation, username_digest=username)
    account = streams.account(organisation, staff)
    claim = UsernameClaimed(
        organisation_id=organisation,
        staff_id=staff,
        registration_deadline=datetime(2026, 1, 1, tzinfo=UTC),
    )
    await world.write(Draft(streams.username(username), claim))
    other = digest()
    await world.write(Draft(streams.username(other), claim))
    await world.write(
        Draft(
            streams.username(other),
            UsernameReleased(organisation_id=organisation, staff_id=staff),
        )
    )
    sessions = []
    for step in (200, 201):
        loaded = await world.loads.by_staff(staff)
        assert loaded
        sessions.append((await world.login(loaded, step))[1])
    await world.write(
        Draft(
            streams.codes(organisation, staff),
            CodeChecked(
                purpose="step_up",
                outcome="accepted",
                source=SEALED,
                time_step=210,
                session=sessions[0].id,
            ),
        )
    )
    stream = streams.session(organisation, sessions[1].id)
    await world.write(Draft(stream, LoggedOut(staff_id=staff, everywhere=True)))
    await world.write(
        Draft(
            streams.guesses(organisation, staff),
            LoginAttempted(outcome="wrong_password", source=SEALED),
        )
    )
    await world.write(
        Draft(
            streams.links(organisation, staff),
            PasswordLinkIssued(
                link=uuid(),
                ticket_digest=digest(),
                cause="asked_for",
                expires=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30),
            ),
        )
    )
    await world.write(Draft(account, TwoFactorDisabled(cause="administrator", reason=SEALED)))
    await world.write(
        Draft(
            streams.command(organisation, "operator", uuid()),
            CommandAccepted(name="change_role", digest=digest()),
        ),
        Draft(account, RoleChanged(role="administrator", reason=SEALED)),
    )
    await world.write(
        Draft(
            streams.command(organisation, "operator", uuid()),
            CommandRejected(
                name="change_role", digest=digest(), reason="no-such-person", detail="Nobody."
            ),
        )
    )
    await world.write(Draft(account, StaffForgotten()))
    stranger = streams.stranger(digest())
    await world.stranger_writer.write(
        world.proposal(
            Draft(stranger, LoginAttempted(outcome="wrong_password", source=SEALED)), heads={}
        )
    )
    with pytest.raises(SupersededError):
        await world.write(Draft(account, RoleChanged(role="staff", reason=SEALED)), heads={})


async def folded_to_the_end(world: World) -> None:
    """Wait until everything in the log is folded."""

    async def is_folded() -> bool:
        for source in world.sources:
            for partition in range(source.log.partitions):
                found = await world.pool.fetchval(
                    "SELECT next_offset FROM partition_state WHERE topic = $1 AND partition = $2",
                    source.topic,
                    partition,
                )
                if found is None or max(found, 0) < await source.log.end(partition):
                    return False
        return True

    await until(is_folded)


async def halted(world: World) -> asyncpg.Record:
    """Wait for the one halt."""

    async def is_halted() -> bool:
        return bool(await world.pool.fetchval("SELECT count(*) FROM halt"))

    await until(is_halted)
    row = await world.pool.fetchrow("SELECT * FROM halt")
    assert row
    return row


class TestRebuilding:
    async def test_a_dropped_schema_is_folded_back_identical(self, world: World) -> None:
        """Rebuilt equals incremental, for every projection."""
        async with world.folding():
            await everything(world)
            await world.log.append(0, [b"garbage"])
            await folded_to_the_end(world)
        incremental = await world.rows()
        empty = {name for name, rows in incremental.items() if not rows}

        await world.pool.execute(f"DROP SCHEMA {schema.name()} CASCADE")
        async with world.pool.acquire() as connection:
            assert await ensure(connection)  # type: ignore[arg-type]
        async with world.folding():
            await folded_to_the_end(world)

        assert empty == {"vault_entry"}
        assert await world.rows() == incremental

    async def test_a_database_made_anew_is_seen_while_running(self, world: World) -> None:
        """No restart is needed: whoever believes to be further than what is stored begins again."""
        async with world.folding():
            organisation = await world.organisation()
            staff, _, _ = await world.enrolled(organisation)
            await folded_to_the_end(world)
            before = await world.rows()

            await world.pool.execute(f"DROP SCHEMA {schema.name()} CASCADE")

            async def is_back() -> bool:
                try:
                    return await world.rows() == before
                except asyncpg.UndefinedTableError:
                    return False

            await until(is_back)
            loaded = await world.loads.by_staff(staff)
            assert loaded
            await world.login(loaded, 900)

    async def test_a_position_that_went_back_is_folded_again(self, world: World) -> None:
        """Commits don't wait for the disk: after a crash the database is a moment younger."""
        async with world.folding():
            organisation = await world.organisation()
            partition = world.partition(organisation)
            row = await world.pool.fetchrow(
                "SELECT * FROM partition_state WHERE topic = $1 AND partition = $2",
                world.events,
                partition,
            )
            assert row
            staff = await world.person(organisation)
            await folded_to_the_end(world)
            async with world.pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    "UPDATE partition_state SET next_offset = $3, last_digest = $4,"
                    " last_time_ms = $5, running = $6, clock = $7"
                    " WHERE topic = $1 AND partition = $2",
                    world.events,
                    partition,
                    *(
                        row[name]
                        for name in (
                            "next_offset",
                            "last_digest",
                            "last_time_ms",
                            "running",
                            "clock",
                        )
                    ),
                )
                for statement in (
                    "DELETE FROM stream_head WHERE stream LIKE '%' || $1",
                    "DELETE FROM staff_account WHERE staff_id = $1",
                    "DELETE FROM recent_record WHERE staff_id = $1",
                    "DELETE FROM account_history WHERE staff_id = $1",
                ):
                    await connection.execute(statement, staff)

            async def is_back() -> bool:
                return await world.loads.by_staff(staff) is not None

            await until(is_back)
            assert await world.person(organisation)

    async def test_batch_boundaries_change_nothing(self, world: World) -> None:
        """The running digest is what a fold over the whole partition gives."""
        async with world.folding():
            await everything(world)
            await folded_to_the_end(world)
        for partition in range(world.log.partitions):
            state = PartitionState(partition)
            for record in await recorded(world.log, partition):
                judge(state, record, world.ring.mac.keys)
            row = await world.pool.fetchrow(
                "SELECT running, clock FROM partition_state WHERE topic = $1 AND partition = $2",
                world.events,
                partition,
            )
            assert row
            assert (row["running"], row["clock"]) == (state.running, state.clock)


async def recorded(log: KafkaLog, partition: int) -> list[Record]:
    """Every record that is in the log now."""
    end, found = await log.end(partition), list[Record]()
    batches = log.read(partition, 0)
    async for records in batches:
        found.extend(records)
        if found[-1].offset + 1 >= end:
            break
    await batches.aclose()  # type: ignore[attr-defined]
    return found


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
                await produce(world, partition, [*garbage, *forged.values])
                staff = await world.person(organisation)

            assert await world.loads.by_staff(staff)
            rows = await world.pool.fetch("SELECT fate, value FROM quarantine ORDER BY 1 DESC")
            fates = [row["fate"] for row in rows]
            assert fates == ["malformed"] * 5 + ["forged"]
            assert {bytes(row["value"]) for row in rows} == {*garbage, *forged.values}
            events = [line["event"] for line in logs]
            assert events.count("record.quarantined") == 6

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


class TestFates:
    async def test_a_digest_that_stands_twice_counted_once(self, world: World) -> None:
        """A retried send may stand there twice; only "this digest counted" is a success."""
        async with world.folding():
            organisation = await world.organisation()
            batch = world.signer.batch(
                world.proposal(
                    Draft(streams.account(organisation, uuid()), registered()), heads={}
                ),
                datetime.now(UTC),
            )
            first = await world.log.append(batch.partition, batch.values)
            again = await world.log.append(batch.partition, batch.values)
            assert await world.fates.passed(batch.partition, again, timedelta(seconds=10))

            seen = await world.fates.look(batch.partition, batch.digests[0])

            assert (seen.fate, seen.offset) == (Fate.COUNTED, first)
            assert seen.next_offset > again

    async def test_what_never_came_has_no_fate(self, world: World) -> None:
        async with world.folding():
            await world.organisation()
            seen = await world.fates.look(0, digest())
            assert (seen.fate, seen.offset) == (None, None)
            assert not await world.fates.passed(0, 10_000, timedelta(milliseconds=50))

    async def test_many_that_look_at_once_each_get_their_own(self, world: World) -> None:
        async with world.folding():
            organisation = await world.organisation()
            batches = [
                world.signer.batch(
                    world.proposal(
                        Draft(streams.account(organisation, uuid()), registered()), heads={}
                    ),
                    datetime.now(UTC),
                )
                for _ in range(50)
            ]
            partition = batches[0].partition
            offsets = await asyncio.gather(
                *(world.log.append(partition, one.values) for one in batches)
            )
            await world.fates.passed(partition, max(offsets), timedelta(seconds=10))
            seen = await asyncio.gather(
                *(world.fates.look(partition, one.digests[0]) for one in batches)
            )
            assert [one.offset for one in seen] == list(offsets)


class TestFollowing:
    async def test_gives_counted_events_in_order_with_their_person(self, world: World) -> None:
        async with world.folding():
            organisation = await world.organisation()
            staff, _, _ = await world.enrolled(organisation)
            partition = world.partition(organisation)
            assert partition is not None
            await folded_to_the_end(world)

            found, upto = await world.follows.counted_after(partition, 0)
            page, upto_page = await world.follows.counted_after(partition, 0, limit=2)

            assert [one.stream.split("/")[1] for one, _ in found] == [
                "organisation", "account", "account", "account",
            ]  # fmt: skip
            assert [person and person.staff_id for _, person in found] == [None] + [staff] * 3
            assert isinstance(found[2][0].fact, PasswordSet)
            assert upto == await world.log.end(partition) - 1
            assert [one.id for one, _ in page] == [one.id for one, _ in found[:2]]
            assert upto_page == found[1][0].position.offset
            again = await world.loads.event(found[1][0].id)
            assert again == found[1][0]
            assert json.loads(found[1][0].fact.model_dump_json())["role"] == "staff"
