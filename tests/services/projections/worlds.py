"""What the projections' tests stand on: topics and a database of their own, and a writer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg

from events import keys, streams, topics
from events.keys import KeyRing
from events.log import broker
from events.log.kafka import KafkaLog
from events.log.proposal import Draft, Proposal, Signer
from events.log.writer import Writer, Written
from events.organisation import OrganisationRegistered
from events.records import Record
from events.staff import (
    LoginAttempted,
    PasswordSet,
    SessionStarted,
    StaffRegistered,
    TwoFactorEnrolled,
)
from events.vault.kafka import KafkaVault
from events.vault.topic import VaultTopic
from services.projections import schema
from services.projections.database import open_pool
from services.projections.fates import PgFates
from services.projections.follows import PgEntries, PgFollows
from services.projections.loads import PgLoads
from services.projections.port import LoadedPerson
from services.projections.projector import Source
from services.projections.queries import PgQueries
from services.projections.running import Projections
from services.projections.topology import Topology

PARTITIONS = 2
SEALED = "A" * 40


def uuid() -> str:
    return str(uuid4())


def digest() -> str:
    return uuid4().hex * 2


@dataclass
class World:
    """The log on a real broker and its projections on a real database, folded while `folding`."""

    ring: KeyRing
    database: str
    pool: asyncpg.Pool
    events: str
    strangers: str
    log: KafkaLog
    strangers_log: KafkaLog
    vault_topic: VaultTopic
    fates: PgFates
    vault: KafkaVault
    loads: PgLoads
    queries: PgQueries
    follows: PgFollows
    writer: Writer
    stranger_writer: Writer
    kafka: str
    signer: Signer
    topology: Topology
    sources: Sequence[Source] = field(default_factory=list)

    def projections(self, pool: asyncpg.Pool | None = None) -> Projections:
        return Projections(
            pool or self.pool,
            self.sources,
            self.vault_topic,
            self.ring,
            lasts=timedelta(seconds=2),
        )

    @asynccontextmanager
    async def folding(self) -> AsyncIterator[Projections]:
        projections = self.projections()
        async with running(projections.run()):
            yield projections

    async def write(
        self,
        *drafts: Draft,
        basis: Sequence[str] = (),
        heads: Mapping[str, str | None] | None = None,
        event_id: str | None = None,
        actor: str = "system",
    ) -> Written:
        """Write on the heads as they are now, and wait until it counts."""
        names = {draft.stream for draft in drafts} | set(basis)
        if heads is None:
            rows = await self.pool.fetch(
                "SELECT stream, digest FROM stream_head WHERE stream = ANY($1)", list(names)
            )
            heads = {row["stream"]: row["digest"] for row in rows}
        return await self.writer.write(
            self.proposal(*drafts, basis=basis, heads=heads, event_id=event_id, actor=actor)
        )

    @staticmethod
    def proposal(
        *drafts: Draft,
        heads: Mapping[str, str | None],
        basis: Sequence[str] = (),
        event_id: str | None = None,
        actor: str = "system",
    ) -> Proposal:
        return Proposal(
            drafts=drafts,
            basis=basis,
            heads=heads,
            clock=datetime.now(UTC),
            event_id=event_id or uuid(),
            actor=actor,
            correlation_id=uuid(),
        )

    async def organisation(self, partition: int | None = None) -> str:
        organisation_id = uuid()
        while partition not in {None, self.partition(organisation_id)}:
            organisation_id = uuid()
        await self.write(
            Draft(streams.organisation(organisation_id), OrganisationRegistered(name="Lettings"))
        )
        return organisation_id

    @staticmethod
    def partition(organisation_id: str) -> int | None:
        return streams.partition_of(streams.organisation(organisation_id), PARTITIONS)

    async def person(self, organisation_id: str, **changes: object) -> str:
        staff_id = uuid()
        fact = registered(**changes)
        await self.write(Draft(streams.account(organisation_id, staff_id), fact))
        return staff_id

    async def enrolled(self, organisation_id: str, **changes: object) -> tuple[str, str, str]:
        """A person with a password and an authenticator: their id, and both entries."""
        staff_id = await self.person(organisation_id, **changes)
        password, authenticator = uuid(), uuid()
        account = streams.account(organisation_id, staff_id)
        await self.write(
            Draft(account, PasswordSet(credential=password, choice="setup_new", origin="expired")),
            Draft(
                account,
                TwoFactorEnrolled(authenticator=authenticator, method="totp", time_step=100),
            ),
        )
        return staff_id, password, authenticator

    async def login(self, loaded: LoadedPerson, time_step: int) -> tuple[Written, SessionStarted]:
        person = loaded.person
        session = SessionStarted(id=uuid(), token_digest=digest(), two_factor=True)
        stream = streams.codes(person.organisation_id, person.staff_id)
        fact = LoginAttempted(
            outcome="succeeded", source=SEALED, time_step=time_step, session=session
        )
        basis = [
            streams.account(person.organisation_id, person.staff_id),
            streams.organisation(person.organisation_id),
        ]
        written = await self.writer.write(
            self.proposal(Draft(stream, fact), basis=basis, heads=loaded.heads)
        )
        return written, session

    async def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every folded table."""
        found = {}
        for table in schema.all_tables():
            order = ", ".join(f'"{name}"' for name in table.key)
            rows = await self.pool.fetch(f"SELECT * FROM {table.name} ORDER BY {order}")  # noqa: S608
            found[table.name] = [tuple(row) for row in rows]
        rows = await self.pool.fetch(
            "SELECT topic, partition, next_offset, clock, running, generation, partitions,"
            " oldest_key,"
            " last_digest, last_time_ms FROM partition_state ORDER BY 1, 2"
        )
        found["partition_state"] = [tuple(row) for row in rows]
        return found


def registered(**changes: object) -> StaffRegistered:
    data = {
        "username_digest": digest(),
        "data_key": uuid(),
        "details": SEALED,
        "role": "staff",
    } | changes
    return StaffRegistered.model_validate(data)


@asynccontextmanager
async def running(work: object) -> AsyncIterator[None]:
    """Run *work* beside, and cancel it; what it raised otherwise is raised."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until *condition*, a coroutine function, gives something true."""
    async with asyncio.timeout(seconds):
        while not await condition():  # type: ignore[misc]
            await asyncio.sleep(0.02)


@asynccontextmanager
async def make_world(kafka: str, database: str) -> AsyncIterator[World]:
    ring, mark = keys.generate(), uuid4().hex[:8]
    events, strangers, vault = (
        replace(topic, name=f"{topic.name}-{mark}")
        for topic in (topics.EVENTS, topics.STRANGERS, topics.VAULT)
    )
    await broker.create(
        kafka,
        keys=ring.mac.keys,
        key_id=ring.mac.current,
        partitions=PARTITIONS,
        wanted=[events, strangers, vault],
    )
    async with AsyncExitStack() as stack:
        pool = await open_pool(database, largest=8)
        stack.push_async_callback(pool.close)
        log = await stack.enter_async_context(KafkaLog(kafka, events.name, PARTITIONS))
        strangers_log = await stack.enter_async_context(KafkaLog(kafka, strangers.name, PARTITIONS))
        vault_topic = await stack.enter_async_context(VaultTopic(kafka, vault.name, PARTITIONS))
        fates, stranger_fates, vault_fates = [
            await stack.enter_async_context(PgFates(database, pool, topic.name))
            for topic in (events, strangers, vault)
        ]
        topology = Topology(pool, events.name, strangers.name)
        follows = PgFollows(pool, topology)
        signer = Signer("twofold/tests", ring.mac.current, ring.mac.key, PARTITIONS)
        yield World(
            ring=ring,
            database=database,
            pool=pool,
            events=events.name,
            strangers=strangers.name,
            log=log,
            strangers_log=strangers_log,
            vault_topic=vault_topic,
            fates=fates,
            vault=KafkaVault(vault_topic, PgEntries(follows, vault_fates)),
            loads=PgLoads(pool, topology),
            queries=PgQueries(pool, fates, topology),
            follows=follows,
            writer=Writer(log, fates, signer),
            stranger_writer=Writer(strangers_log, stranger_fates, signer),
            kafka=kafka,
            signer=signer,
            topology=topology,
            sources=[
                Source(events.name, log),
                Source(strangers.name, strangers_log, forgetful=True),
            ],
        )


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
