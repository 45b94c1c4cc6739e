"""Is everything well? One line for each thing that must be, and what to do where it isn't."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import asyncpg
from confluent_kafka import KafkaException

from events import keys, streams, topics
from events.key_id import number
from events.keyfile import replaced
from events.keys import KeyRing
from events.log import broker, clients
from events.log.clients import Connection
from events.log.port import LogError
from events.log.proposal import Draft, Proposal, Signer
from events.log.reach import RefusedError, knock
from events.marks import Tick
from events.moments import from_milliseconds
from services.doctor import commands
from services.doctor.finding import Finding, well, wrong
from services.foundation import CannotStartError, connection_of
from services.projections.leftovers import unforgetting
from services.projections.port import ProjectionUnavailableError
from services.projections.status import PartitionStatus, ProjectionsStatus
from services.settings import Settings
from services.staff import publishers

CLOCK_TOLERANCE: Final = timedelta(seconds=2)
"""How far clocks may differ: deadlines are ten seconds."""

SETTLE: Final = timedelta(seconds=5)
"""How long a lag may last before it is one."""

GROUPS: Final = ("twofold.notify", "twofold.status")
"""Whose progress in the history is kept in Kafka."""

_OF_KAFKA: Final = {
    "topics", "Kafka's clock", "projections", "consumer groups", "commands", "set aside",
}  # fmt: skip
"""What can't be looked at without it, and would wait for it each time."""

Look = Callable[[], Awaitable[Sequence[Finding]]]


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; never raises for what it finds."""
    found = _keys(settings)
    ring = _ring(settings)
    try:
        kafka = connection_of(settings)
    except CannotStartError as error:
        return [*found, wrong("Kafka", str(error))]
    database = settings.database.get_secret_value()
    looks: list[tuple[str, Look]] = [
        ("Kafka", lambda: _kafka(kafka)),
        ("PostgreSQL", lambda: _postgres(database)),
        ("projections", lambda: _projections(database, kafka, ring)),
        ("schemas left over", lambda: left_over(database)),
        ("consumer groups", lambda: _groups(kafka)),
        ("commands", lambda: commands.standing(kafka)),
        ("set aside", lambda: commands.set_aside(kafka)),
        ("mail server", lambda: _mail(settings.smtp)),
    ]
    if ring is not None:
        looks[1:1] = [
            ("topics", lambda: _topics(kafka, ring)),
            ("Kafka's clock", lambda: _clock(kafka, ring)),
        ]
    kafka_is_there = True
    for what, look in looks:
        if what in _OF_KAFKA and not kafka_is_there:
            found.append(wrong(what, "Not looked at, for Kafka doesn't answer."))
            continue
        findings = await _looked(what, look)
        kafka_is_there &= what != "Kafka" or all(one.well for one in findings)
        found += findings
    return found


async def _looked(what: str, look: Look) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(30):
            return await look()
    except (LogError, RefusedError, ProjectionUnavailableError, broker.UnfitTopicError) as error:
        return [wrong(what, str(error))]
    except (OSError, TimeoutError, KafkaException, asyncpg.PostgresError) as error:
        return [wrong(what, f"It doesn't answer ({type(error).__name__}).")]


def _keys(settings: Settings) -> list[Finding]:
    found = []
    try:
        ring = keys.load(settings.keys)
        found.append(well("key ring", f"MAC key {ring.mac.current}, {settings.keys}"))
    except keys.KeyRingError as error:
        found.append(wrong("key ring", str(error)))
    try:
        registered = publishers.read(settings.publishers)
        count = len(registered.publishers)
        found.append(well("publishers", f"{count} publishers, {settings.publishers}"))
    except publishers.PublishersError as error:
        found.append(wrong("publishers", str(error)))
    return found


def _ring(settings: Settings) -> KeyRing | None:
    with contextlib.suppress(keys.KeyRingError):
        return keys.load(settings.keys)
    return None


async def _kafka(kafka: Connection) -> list[Finding]:
    await knock(kafka)
    cluster = await asyncio.to_thread(clients.admin(kafka).list_topics, timeout=5)
    return [well("Kafka", f"{len(cluster.brokers)} broker(s) at {kafka.bootstrap}")]


async def _topics(kafka: Connection, ring: KeyRing) -> list[Finding]:
    complaints = await broker.check(kafka, keys=ring.mac.keys)
    if complaints:
        return [wrong("topics", complaint) for complaint in complaints]
    return [well("topics", f"{len(topics.ALL)} topics with the settings that they need")]


async def _clock(kafka: Connection, ring: KeyRing) -> list[Finding]:
    """The broker's append time of a tick, against ours around it."""
    name = topics.EVENTS.name
    count = (await broker.generation_of(kafka, name, ring.mac.keys)).partitions
    signer = Signer("twofold/doctor", ring.mac.current, ring.mac.key, count)
    now, event_id = datetime.now(UTC), str(uuid4())
    tick = Proposal(
        drafts=[Draft(streams.log(0), Tick())],
        basis=(),
        heads={},
        clock=now,
        event_id=event_id,
        actor="system",
        correlation_id=event_id,
    )
    producer = clients.producer(kafka)
    await producer.start()
    try:
        before = datetime.now(UTC)
        sent = await producer.send_and_wait(name, signer.batch(tick, now).values[0], partition=0)
        after = datetime.now(UTC)
    finally:
        await producer.stop()
    return [_difference("Kafka's clock", from_milliseconds(sent.timestamp), before, after)]


async def _postgres(database: str) -> list[Finding]:
    connection = await asyncpg.connect(database, timeout=5)
    try:
        version = ".".join(map(str, connection.get_server_version()[:2]))
        before = datetime.now(UTC)
        theirs = await connection.fetchval("SELECT clock_timestamp()")
        after = datetime.now(UTC)
    finally:
        await connection.close(timeout=5)
    return [
        well("PostgreSQL", f"version {version}"),
        _difference("PostgreSQL's clock", theirs, before, after),
    ]


def _difference(what: str, theirs: datetime, before: datetime, after: datetime) -> Finding:
    """*theirs* was read somewhere between *before* and *after*."""
    ahead = max(theirs - after, timedelta(0)) or min(theirs - before, timedelta(0))
    seconds = ahead.total_seconds()
    if abs(ahead) > CLOCK_TOLERANCE:
        sentence = f"It differs from ours by {seconds:+.1f} s: set both by NTP before going on."
        return wrong(what, sentence)
    return well(what, f"differs from ours by {seconds:+.3f} s")


async def _projections(database: str, kafka: Connection, ring: KeyRing | None) -> list[Finding]:
    until = time.monotonic() + SETTLE.total_seconds()
    while True:
        status = await ProjectionsStatus.read(database, kafka)
        behind = [one for one in status.partitions if one.lag]
        if not behind or time.monotonic() > until:
            break
        await asyncio.sleep(0.2)
    if not status.there:
        sentence = f"Schema {status.schema} of this version isn't there: start its twofold project."
        return [wrong("projections", sentence)]
    found = [_lag(behind, len(status.partitions))]
    found += _old_keys(status.partitions, ring) if ring else []
    found += [
        wrong("halted partition", f"{one.topic}-{one.partition}: {one.halted}")
        for one in status.partitions
        if one.halted
    ]
    quarantined = sum(one.quarantined for one in status.partitions)
    found.append(
        Finding(
            "quarantine",
            well=quarantined == 0,
            detail=f"{quarantined} record(s) were malformed or forged: look at them with"
            " twofold audit replay --all-fates"
            if quarantined
            else "empty",
        )
    )
    held = [one for one in status.leases if one.held]
    owners = {one.owner for one in held}
    detail = f"{len(held)} held by {len(owners)} process(es)"
    found.append(
        well("leases", detail) if held else wrong("leases", "none: start twofold project.")
    )
    return found


def _old_keys(partitions: Sequence[PartitionStatus], ring: KeyRing) -> list[Finding]:
    """Whether MAC keys that were replaced can still sign."""
    current = ring.mac.current
    older = replaced(ring.mac)
    history = [one for one in partitions if one.topic == topics.EVENTS.name]
    if not older or all(one.oldest_key >= number(current) for one in history):
        return [well("old MAC keys", "none can sign")]
    can = f"{', '.join(older)} can still sign; once every service uses {current}:"
    return [well("old MAC keys", f"{can} twofold keys retire")]


def _lag(behind: Sequence[PartitionStatus], partitions: int) -> Finding:
    if not behind:
        return well("lag", f"none in {partitions} partitions")
    worst = ", ".join(f"{one.topic}-{one.partition}: {one.lag}" for one in behind)
    return wrong("lag", f"Not folded yet: {worst}; is twofold project running?")


async def left_over(database: str) -> list[Finding]:
    """Whether who is forgotten can still be read in a schema that nobody folds any more."""
    places = await unforgetting(database)
    return [
        wrong(
            "schemas left over",
            f"Nobody folds {place}, and what it holds of the vault is never forgotten: drop it by"
            " twofold projections prune, unless it was prepared for a version that is to start",
        )
        for place in places
    ] or [well("schemas left over", "none holds entries of the vault")]


async def _groups(kafka: Connection) -> list[Finding]:
    found = []
    for group in GROUPS:
        reached = await asyncio.to_thread(commands.progress, kafka, group, topics.EVENTS.name)
        at = ", ".join(str(one.offset) for _, one in sorted(reached.items()))
        found.append(well(group, f"next offsets of {topics.EVENTS.name}: {at}"))
    return found


async def _mail(address: str) -> list[Finding]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 5)
    try:
        greeting = (await asyncio.wait_for(reader.readline(), 5)).decode("ascii", "replace")
    finally:
        writer.close()
    speaks = greeting.startswith("220")
    return [well("mail server", address) if speaks else wrong("mail server", f"{address} is none")]
