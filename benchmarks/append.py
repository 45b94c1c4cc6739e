"""
A conditional append on the real broker, verdict included, beside a bare produce of the same bytes.

A login's event: `LoginAttempted` on the codes of somebody, relying on account and organisation.
Each caller is one person, logging in again as soon as it was answered. The verdict comes from the
projector on PostgreSQL, in a process of its own as in production; and, as a floor, from a fold in
this process.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from benchmarks.folding_fates import FoldingFates
from benchmarks.projecting import Projecting, projector
from benchmarks.timing import Measured, measure, show
from events import keys, streams, topics
from events.facts import Draft
from events.log import broker, clients
from events.log.kafka import KafkaLog
from events.log.port import Fates
from events.log.proposal import Proposal, Signer
from events.log.writer import Writer
from events.organisation import OrganisationRegistered
from events.staff import LoginAttempted, SessionStarted, StaffRegistered
from events.vault.personal import seal_source
from services.projections.database import open_pool
from services.projections.fates import PgFates

MANY = 64


@dataclass(slots=True)
class Person:
    """A caller, with the heads that their logins rely on."""

    organisation: str = field(default_factory=lambda: str(uuid4()))
    staff: str = field(default_factory=lambda: str(uuid4()))
    heads: dict[str, str | None] = field(default_factory=dict)
    time_step: int = 0

    @property
    def codes(self) -> str:
        return streams.codes(self.organisation, self.staff)

    @property
    def relied_on(self) -> tuple[str, str]:
        """The organisation, and the account."""
        account = streams.account(self.organisation, self.staff)
        return streams.organisation(self.organisation), account

    def registration(self) -> Proposal:
        """The organisation with its one person."""
        organisation, account = self.relied_on
        joined = StaffRegistered(
            username_digest=uuid4().hex * 2,
            data_key=str(uuid4()),
            details="A" * 200,
            role="administrator",
        )
        drafts = [
            Draft(organisation, OrganisationRegistered(name="Agency")),
            Draft(account, joined),
        ]
        return self._proposal(drafts, ())

    def login(self) -> Proposal:
        """A login that succeeded."""
        self.time_step += 1
        fact = LoginAttempted(
            outcome="succeeded",
            source=seal_source("192.0.2.7", "Mozilla/5.0", owner=self.staff, data_key=b"k" * 32),
            time_step=self.time_step,
            session=SessionStarted(id=str(uuid4()), token_digest=uuid4().hex * 2, two_factor=True),
            device=self.staff,
        )
        return self._proposal([Draft(self.codes, fact)], self.relied_on)

    def _proposal(self, drafts: list[Draft], basis: tuple[str, ...]) -> Proposal:
        return Proposal(
            drafts=drafts,
            basis=basis,
            heads=self.heads,
            clock=datetime.now(UTC) - timedelta(seconds=1),
            event_id=str(uuid4()),
            actor="anonymous",
            correlation_id=str(uuid4()),
        )


async def run(kafka: str, database: str, *, calls: int = 3_200) -> list[Measured]:
    """
    Measure, on topics and in a schema of its own.

    Args:
        kafka: The broker's address.
        database: URL of a database that may be filled.
        calls: With many at once; an eighth of it one at a time.
    """
    ring, partitions = keys.generate(), topics.DEFAULT_PARTITIONS
    mark = uuid4().hex[:8]
    events, strangers, vault = (
        replace(topic, name=f"benchmark-{mark}-{topic.name}")
        for topic in (topics.EVENTS, topics.STRANGERS, topics.VAULT)
    )
    await broker.create(
        kafka,
        keys=ring.mac.keys,
        key_id=ring.mac.current,
        partitions=partitions,
        wanted=[events, strangers, vault],
    )
    signer = Signer("twofold/benchmark", ring.mac.current, ring.mac.key, partitions)
    child = Projecting(kafka, database, events.name, strangers.name, vault.name, partitions, ring)
    rows: list[Measured] = []
    async with KafkaLog(kafka, events.name, partitions) as log:
        async with projector(child), _projected(database, events.name) as fates:
            what = "append and verdict, projector"
            rows += await _conditional(what, Writer(log, fates, signer), calls)
        async with FoldingFates(log, ring.mac.keys) as folding:
            what = "append and verdict, folded here"
            rows += await _conditional(what, Writer(log, folding, signer), calls)
    rows += await _bare(kafka, events.name, signer, calls)
    show(f"Conditional append on {partitions} partitions, and its yardstick", rows)
    return rows


@asynccontextmanager
async def _projected(database: str, topic: str) -> AsyncIterator[Fates]:
    async with AsyncExitStack() as stack:
        pool = await open_pool(database, largest=8)
        stack.push_async_callback(pool.close)
        yield await stack.enter_async_context(PgFates(database, pool, topic))


async def _conditional(what: str, writer: Writer, calls: int) -> list[Measured]:
    people = [Person() for _ in range(MANY)]
    for person in people:
        written = await writer.write(person.registration())
        person.heads = dict(zip(person.relied_on, written.digests, strict=True))

    async def login(number: int) -> None:
        person = people[number]
        person.heads[person.codes] = (await writer.write(person.login())).digests[0]

    return await _one_and_many(what, login, calls)


async def _bare(kafka: str, topic: str, signer: Signer, calls: int) -> list[Measured]:
    """The same bytes, acknowledged by all: what the broker itself takes."""
    batches = [signer.batch(Person().login(), datetime.now(UTC)) for _ in range(MANY)]
    producer = clients.producer(kafka)
    await producer.start()
    try:

        async def produce(number: int) -> None:
            batch = batches[number]
            await producer.send_and_wait(topic, batch.values[0], partition=batch.partition)

        return await _one_and_many("bare produce", produce, calls)
    finally:
        await producer.stop()


async def _one_and_many(
    what: str, call: Callable[[int], Awaitable[None]], calls: int
) -> list[Measured]:
    await measure(what, call, at_once=MANY, calls=calls // 4)  # Warms up.
    return [
        await measure(what, call, at_once=1, calls=calls // 8),
        await measure(what, call, at_once=MANY, calls=calls),
    ]
