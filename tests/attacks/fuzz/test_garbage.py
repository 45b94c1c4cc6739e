"""
Somebody who can write to every topic, and has none of the keys.

Garbage stops nobody: each record is quarantined, refused or a dead letter, the readers go on behind
it, and people log in as before.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from events import topics
from services.demo.flows import accepted, new_password
from services.demo.world import wait_until
from services.projections import schema
from tests.attacks.fuzz.garbage import Written, garbage
from tests.attacks.starting import running_system
from tests.attacks.system import SETUP_NEW, Attacked
from tests.events.log.spoilt import produce_spoilt
from tests.stack import TestStack

pytestmark = pytest.mark.attacks

ALL = 10_000
SUITE = 800
FOLDED = ("twofold.events", "twofold.strangers", "twofold.vault")
FOLLOWED = (
    ("twofold.staff", "twofold.commands"),
    ("twofold.notify", "twofold.events"),
    ("twofold.status", "twofold.events"),
)
FAULTS = ("Traceback", ".halted", "command.fault", "request.failed", "notify.failed", "[critical")


@pytest.fixture(scope="module")
def doomed(stack: TestStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """Give a system of its own: what is written to its topics is nothing for others to read."""
    with running_system(stack, tmp_path_factory.mktemp("doomed")) as running:
        yield running


class TestCopies:
    """A record with a good MAC, written again where its writer never wrote it."""

    @pytest.mark.row(45, 46)
    def test_history_copied_into_the_strangers_topic_revives_nobody(self, world: Attacked) -> None:
        """
        That topic forgets its beginnings, so that what comes first in a stream is believed there.

        A copy of a guess must not fold its person again, as they were before they were deactivated.
        """
        sam = world.join(world.organisation("Copied Estates"))
        for deactivated in (False, True):
            world.log.mark()
            world.login(sam, password="a wrong password").expect(401)
            world.log.expect(sam.guesses, "login_attempted")
            _copy(world, sam.guesses)
            if not deactivated:
                accepted(world.operator.send("deactivate_staff", world.about(sam)))
        _wait_for_readers(world)
        strangers = world.topic("twofold.strangers")
        fates = world.fetch("SELECT fate FROM quarantine WHERE topic = $1", strangers)
        assert [row["fate"] for row in fates] == ["malformed"] * 2
        world.login(sam).expect(401, "invalid-credentials")


def _copy(world: Attacked, stream: str) -> None:
    """The newest record of a stream, from the history to the same partition of the strangers'."""
    newest = next(
        one
        for one in reversed(world.records("twofold.events"))
        if f'"subject":"{stream}"'.encode() in (one.value or b"")
    )
    key, partition = newest.key or b"", newest.partition
    world.produce("twofold.strangers", newest.value, key, partition=partition)


@pytest.mark.thorough
class TestGarbage:
    @pytest.mark.row(46, 47)
    def test_on_every_topic_stops_nobody(
        self, doomed: Attacked, request: pytest.FixtureRequest
    ) -> None:
        world, seed = doomed, random.SystemRandom().randrange(2**32)
        organisation = world.organisation("Doomed Estates")
        sam, eve = world.join(organisation), world.join(organisation, choice=SETUP_NEW)
        ada = world.administrator(organisation)
        world.login(sam, password="a wrong password").expect(401)
        unknown = {"login": world.auth.post("/api/login/start", {"username": "x"}).body["login"]}
        world.auth.post("/api/login/finish", unknown | {"password": "y"}).expect(401)

        began = time.monotonic()
        thorough = request.config.getoption("--thorough")
        sent = _flood(world, ALL if thorough else SUITE, seed)
        for topic in ("twofold.events", "twofold.strangers", "twofold.commands"):
            values = [b"1", b"2", b"3"]
            asyncio.run(produce_spoilt(world.stack.kafka, world.topic(topic), values, 1))
        flooded = time.monotonic() - began
        _wait_for_readers(world)
        read = time.monotonic() - began - flooded

        halts = world.fetch("SELECT topic, partition, kind, reason FROM halt")
        assert not halts, (seed, halts)
        for name, process in world.processes.items():
            assert process.alive, (seed, name)
            told = [line for line in world.log_of(name).splitlines() if _is_fault(line)]
            assert not told, (seed, name, told[:5])
        for web in (*world.auths, world.staff, world.projections):
            web.get("/health/ready").expect(200)

        # People go on, by every way that touches a topic.
        world.logged_in(eve)
        world.logged_in(sam)
        world.step_up(ada).expect(200)
        accepted(world.command(ada, "require_password_reset", world.about(sam)))
        change = world.open(world.link(sam)).expect(200).body["change"]
        world.finish(sam, change, "no_thanks", new_password()).expect(200)
        world.logged_in(sam)
        fates = world.fetch("SELECT fate, count(*) AS n FROM quarantine GROUP BY fate")
        quarantined = {row["fate"]: row["n"] for row in fates}
        assert quarantined.keys() == {"malformed", "forged"}
        letters = len(world.records("twofold.dead-letters"))
        print(  # noqa: T201
            f"seed {seed}: {sum(sent.values())} records in {flooded:.1f} s, {dict(sent)}; read"
            f" {read:.1f} s later; {quarantined}; {letters} dead letters, garbage among them"
        )


def _is_fault(line: str) -> bool:
    return any(fault in line for fault in FAULTS)


def _flood(world: Attacked, count: int, seed: int) -> Mapping[str, int]:
    """Write garbage to every topic, made of what stands there."""
    dice, sent = random.Random(seed), dict.fromkeys((topic.name for topic in topics.ALL), 0)
    producer = Producer({"bootstrap.servers": world.stack.kafka, "acks": "1", "linger.ms": 0})

    def note(name: str) -> Callable[[object, object], None]:
        def noted(error: object, _message: object) -> None:
            sent[name] += error is None  # The broker refuses some: a null key, say, in the vault.

        return noted

    for name in sent:
        real = [Written(one.key, one.value, tuple(one.headers)) for one in world.records(name)]
        left = count // len(sent)
        for record in islice(garbage(dice, [one for one in real if one.value]), 4 * left):
            if name == "twofold.vault" and _takes_away(record, real):
                continue
            topic = world.topic(name)
            partition = dice.randrange(2)
            producer.produce(
                topic, record.value, record.key, partition, on_delivery=note(name),
                headers=list(record.headers),
            )  # fmt: skip
            producer.flush(10)  # One to a batch: the broker refuses batches whole.
            if sent[name] >= left:
                break
    return sent


def _takes_away(record: Written, real: list[Written]) -> bool:
    """
    Whether it makes an entry go, or names another key for it.

    That is what write access to the vault's topic is: whoever has it can keep people out, and can't
    get in as them. The services' access control list gives it to auth, staff and the keeper alone.
    """
    return any(record.key == one.key for one in real)


def _wait_for_readers(world: Attacked) -> None:
    """Until every reader has read every record that is there now."""
    client = Consumer(
        {"bootstrap.servers": world.stack.kafka, "group.id": "x", "enable.auto.commit": False}
    )
    ends = {name: _ends(client, world.topic(name)) for name in (*FOLDED, "twofold.commands")}
    client.close()
    table = f"{schema.name()}.partition_state"

    def folded() -> bool | None:
        rows = world.fetch(f"SELECT topic, partition, next_offset FROM {table}")  # noqa: S608
        at = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        behind = [
            (name, partition)
            for name in FOLDED
            for partition, end in enumerate(ends[name])
            if end > max(at.get((world.topic(name), partition), 0), 0)
        ]
        return None if behind else True

    wait_until("every projection at the end of its topic", folded, 120)
    for group, name in FOLLOWED:
        committed = partial(_committed, world, group, name, ends[name])
        wait_until(f"{group} at the end of {name}", committed, 120)


def _committed(world: Attacked, group: str, name: str, ends: list[int]) -> bool | None:
    client = Consumer(
        {"bootstrap.servers": world.stack.kafka, "group.id": group, "enable.auto.commit": False}
    )
    places = [TopicPartition(world.topic(name), partition) for partition in range(len(ends))]
    try:
        at = [max(place.offset, 0) for place in client.committed(places, 10)]
    except KafkaException:
        return None
    finally:
        client.close()
    return True if all(a >= b for a, b in zip(at, ends, strict=True)) else None


def _ends(client: Consumer, topic: str) -> list[int]:
    count = len(client.list_topics(topic, 10).topics[topic].partitions)
    return [
        client.get_watermark_offsets(TopicPartition(topic, partition), 10)[1]
        for partition in range(count)
    ]
