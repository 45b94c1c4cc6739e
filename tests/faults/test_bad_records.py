"""
Records that anybody with write access could leave: what became of each, as a table.

Nothing crashes, nothing is lost, nothing opens: after each, the processes are the same ones, and
people log in.
"""

import json
import secrets
from base64 import b64encode
from functools import partial
from uuid import uuid4

import asyncpg
import pytest
from confluent_kafka import Producer

from services.demo.behaviours import NO_THANKS
from services.demo.flows import World, accepted
from services.demo.people import Somebody
from services.demo.world import Log, wait_until
from services.projections import schema
from tests.events.log.spoilt import produce_spoilt
from tests.faults.dumping import aside, settled
from tests.faults.system import System, Tell, the_same_processes

pytestmark = [pytest.mark.faults, pytest.mark.slow]

Headers = list[tuple[str, str | bytes | None]]


@pytest.fixture
def organisation_id(world: World) -> str:
    return world.organisation("Bad Record Estates")


class TestOnTheCommandsTopic:
    """Each goes to the dead letters with a reason and no content, and the next is dealt with."""

    def test_what_is_no_command(
        self, system: System, world: World, organisation_id: str, tell: Tell
    ) -> None:
        sam = world.join(organisation_id)
        letters = Log(system.kafka, "twofold.dead-letters")
        try:
            with the_same_processes(system):
                self._all(world, letters, sam, tell)
                aside(produce_spoilt(system.kafka, "twofold.commands", [b"a", b"b"], 1))
                wait_until("it", lambda: _letter(letters, {"bad-headers"}))
                tell("a header's name that is no UTF-8", "dead letter: bad-headers")
        finally:
            letters.close()
        world.login(sam).expect(200, outcome="logged_in")
        outcome = accepted(world.operator.send("deactivate_staff", world.about(sam)))
        tell("the next command on that partition", outcome["outcome"])

    def _all(self, world: World, letters: Log, sam: Somebody, tell: Tell) -> None:
        producer = Producer({"bootstrap.servers": letters.bootstrap, "log_level": 0})
        key = sam.organisation_id.encode()
        secret = f"canary {secrets.token_hex(8)}"
        value = world.operator.write("deactivate_staff", world.about(sam, secret), str(uuid4()))
        unknown = value.replace(b".deactivate_staff.v1", b".drop_everything.v1")
        signed: Headers = [("keyid", world.operator._key_id), ("signature", b"x" * 64)]
        cases: tuple[tuple[str, bytes | None, Headers | None, str], ...] = (
            ("an unsigned command", value, [], "unsigned"),
            ("a signature that isn't the key's", value, signed, "bad-signature"),
            ("an unknown key", value, [("keyid", "x"), ("signature", b"")], "unknown-key"),
            ("a command of an unknown type, signed", unknown, None, "unreadable"),
            ("random bytes, signed", secrets.token_bytes(500), None, "unreadable"),
            ("random bytes", secrets.token_bytes(500), [], "unsigned"),
            ("a NUL byte, signed", value.replace(b"canary", b"\\u0000"), None, "unreadable"),
            ("900 kB of random bytes", secrets.token_bytes(900_000), [], "unsigned"),
            ("a tombstone", None, [], "unsigned"),
        )
        for what, sent, headers, reason in cases:
            letters.mark()
            told = headers if headers is not None else _signed(world, sent or b"")
            producer.produce("twofold.commands", sent, key, headers=told)
            producer.flush(10)
            letter = wait_until(what, partial(_letter, letters, {reason}))
            assert secret not in json.dumps(letter)
            tell(f"{what}, on commands", f"dead letter: {letter['reason']}")


def _signed(world: World, value: bytes) -> Headers:
    signature = b64encode(world.operator._key.sign(value))
    return [("keyid", world.operator._key_id), ("signature", signature)]


def _letter(letters: Log, reasons: set[str]) -> dict[str, object] | None:
    letters.poll()
    new = letters.records[letters.marked :]
    return next((letter for letter in new if letter.get("reason") in reasons), None)


class TestOnTheOtherTopics:
    @pytest.mark.parametrize("topic", ["twofold.events", "twofold.strangers", "twofold.vault"])
    def test_random_bytes_and_tombstones(
        self, system: System, world: World, organisation_id: str, tell: Tell, topic: str
    ) -> None:
        sam = world.join(organisation_id)
        partitions = range(6)
        with the_same_processes(system):
            producer = Producer({"bootstrap.servers": system.kafka, "log_level": 0})
            for partition in partitions:
                for key in (None, sam.staff_id.encode(), b"\xff\x00"):
                    for value in (secrets.token_bytes(200), b"\0", b"{}", b"[" * 5000):
                        producer.produce(topic, value, key, partition)
                if topic == "twofold.events":
                    producer.produce(topic, None, sam.organisation_id.encode(), partition)
                elif topic == "twofold.vault":
                    producer.produce(topic, None, str(uuid4()).encode(), partition)
            producer.flush(20)
            for _ in range(2):
                aside(produce_spoilt(system.kafka, topic, [b"x", b"y", b"z"], 1, key=b"key"))
            world.login(sam).expect(200, outcome="logged_in")
            world.login(Somebody("", "", f"nobody.{uuid4()}", ""), password="x" * 20).expect(401)
            fresh = world.join(organisation_id, choice=NO_THANKS)
            world.logged_in(fresh)
        aside(settled(system.kafka, system.database))
        quarantined = aside(_quarantined(system, topic))
        counts = f"{quarantined} in quarantine" if topic != "twofold.vault" else "refused"
        tell(f"random bytes on {topic}", counts, "people log in, join, and are refused as before")
        if topic != "twofold.vault":
            assert quarantined >= 13 * len(partitions) - len(partitions)

    def test_an_entry_of_the_vault_is_not_to_be_overwritten(
        self, system: System, world: World, organisation_id: str, tell: Tell
    ) -> None:
        """Nor to be swapped: what stands under another's key opens nothing."""
        sam, eve = world.join(organisation_id), world.join(organisation_id)
        entries = aside(_entries(system))
        own, theirs = (entries[one.staff_id, "password"] for one in (sam, eve))
        producer = Producer({"bootstrap.servers": system.kafka, "log_level": 0})
        swapped = json.loads(theirs[1]) if theirs[1][:1] == b"{" else None
        for value in (secrets.token_bytes(300), theirs[1], _renamed(swapped, own[0])):
            if value is not None:
                producer.produce("twofold.vault", value, own[0].encode(), own[2])
        producer.flush(10)
        aside(settled(system.kafka, system.database))
        world.login(sam, password=eve.password).expect(401, "invalid-credentials")
        world.login(sam).expect(200, outcome="logged_in")
        assert aside(_entries(system))[sam.staff_id, "password"] == own
        tell("a vault entry overwritten by another's", "refused", "the old one stays in force")


def _renamed(entry: dict[str, object] | None, name: str) -> bytes | None:
    return None if entry is None else json.dumps({**entry, "id": name}).encode()


async def _quarantined(system: System, topic: str) -> int:
    connection = await _connected(system)
    try:
        query = "SELECT count(*) FROM quarantine WHERE topic = $1"
        return int(await connection.fetchval(query, topic))
    finally:
        await connection.close()


async def _entries(system: System) -> dict[tuple[str, str], tuple[str, bytes, int]]:
    connection = await _connected(system)
    try:
        rows = await connection.fetch("SELECT owner, kind, id, value, partition FROM vault_entry")
        return {(r["owner"], r["kind"]): (r["id"], bytes(r["value"]), r["partition"]) for r in rows}
    finally:
        await connection.close()


async def _connected(system: System) -> asyncpg.Connection:
    return await asyncpg.connect(system.database, server_settings={"search_path": schema.name()})
