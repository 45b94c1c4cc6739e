"""
A conditional append on the real broker, verdict included, beside a bare produce of the same bytes.

A login's event: `LoginAttempted` on the codes of somebody, relying on account and organisation.
Each caller is one person, logging in again as soon as it was answered.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from benchmarks.folding_fates import FoldingFates
from benchmarks.timing import Measured, measure, show
from events import keys, streams, topics
from events.facts import Draft
from events.keys import KeyRing
from events.log import broker, clients
from events.log.kafka import KafkaLog
from events.log.proposal import Proposal, Signer
from events.log.writer import Writer
from events.staff import LoginAttempted, SessionStarted
from events.vault.personal import seal_source

MANY = 64


@dataclass(slots=True)
class Person:
    """A caller, with the head of their codes."""

    organisation: str
    staff: str
    head: str | None = None
    time_step: int = 0

    def login(self) -> Proposal:
        """The event of a login that succeeded."""
        self.time_step += 1
        codes = streams.codes(self.organisation, self.staff)
        fact = LoginAttempted(
            outcome="succeeded",
            source=seal_source("192.0.2.7", "Mozilla/5.0", owner=self.staff, data_key=b"k" * 32),
            time_step=self.time_step,
            session=SessionStarted(id=str(uuid4()), token_digest="0" * 64, two_factor=True),
            device=str(uuid4()),
        )
        return Proposal(
            drafts=[Draft(codes, fact)],
            basis=[
                streams.account(self.organisation, self.staff),
                streams.organisation(self.organisation),
            ],
            heads={codes: self.head},
            clock=datetime.now(UTC) - timedelta(seconds=1),
            event_id=str(uuid4()),
            actor="anonymous",
            correlation_id=str(uuid4()),
        )


async def run(kafka: str, *, calls: int = 6_400) -> list[Measured]:
    """Measure on the broker at *kafka*; topics of its own are made and left."""
    rows: list[Measured] = []
    ring = keys.generate()
    for partitions in (1, topics.DEFAULT_PARTITIONS):
        name = f"benchmark-{uuid4().hex[:8]}"
        events = replace(topics.EVENTS, name=name)
        await broker.create(
            kafka,
            keys=ring.mac.keys,
            key_id=ring.mac.current,
            partitions=partitions,
            wanted=[events],
        )
        rows += await _conditional(kafka, name, partitions, ring, calls)
        rows += await _bare(kafka, name, partitions, ring, calls)
    show("Conditional append, and its yardstick", rows)
    return rows


async def _conditional(
    kafka: str, topic: str, partitions: int, ring: KeyRing, calls: int
) -> list[Measured]:
    what = f"append and verdict, {partitions} partitions"
    async with (
        KafkaLog(kafka, topic, partitions) as log,
        FoldingFates(log, ring.mac.keys) as fates,
    ):
        writer = Writer(log, fates, _signer(ring, partitions))
        people = [Person(str(uuid4()), str(uuid4())) for _ in range(MANY)]

        async def login(number: int) -> None:
            person = people[number]
            person.head = (await writer.write(person.login())).digests[0]

        return await _one_and_many(what, login, calls)


async def _bare(
    kafka: str, topic: str, partitions: int, ring: KeyRing, calls: int
) -> list[Measured]:
    """The same bytes, acknowledged by all: what the broker itself takes."""
    what = f"bare produce, {partitions} partitions"
    signer = _signer(ring, partitions)
    people = [Person(str(uuid4()), str(uuid4())) for _ in range(MANY)]
    batches = [signer.batch(person.login(), datetime.now(UTC)) for person in people]
    producer = clients.producer(kafka)
    await producer.start()
    try:

        async def produce(number: int) -> None:
            batch = batches[number]
            await producer.send_and_wait(topic, batch.values[0], partition=batch.partition)

        return await _one_and_many(what, produce, calls)
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


def _signer(ring: KeyRing, partitions: int) -> Signer:
    return Signer("twofold/benchmark", ring.mac.current, ring.mac.key, partitions)
