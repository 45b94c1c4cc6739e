"""Somebody with write access to Kafka's topics, and none of the keys; and one who swaps entries."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest

from events import canonical
from events.moments import write_moment
from services.demo.people import Somebody
from tests.attacks.system import SETUP_NEW, Attacked, until


def of(world: Attacked, stream: str) -> list[tuple[int, bytes]]:
    """Partition and value of a stream's records."""
    records = world.records("twofold.events")
    return [(r.partition, r.value or b"") for r in records if r.members.get("subject") == stream]


def head(value: bytes) -> str:
    return sha256(value).hexdigest()


def still_works(world: Attacked, somebody: Somebody) -> None:
    """The partition isn't stuck, and nothing of theirs has changed."""
    world.login(somebody, password="not-the-password-at-all").expect(401)
    world.logged_in(somebody).expect(200, two_factor="on")


class TestTheHistory:
    @pytest.mark.quick
    @pytest.mark.row(20, 37, 51)
    def test_takes_no_record_without_a_writers_mac(
        self, world: Attacked, organisation: str
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        known = of(world, eve.account)
        partition, newest = known[-1]
        record = json.loads(newest)
        forged = record | {
            "id": str(uuid4()),
            "type": "twofold.two_factor_disabled.v1",
            "previous": head(newest),
            "deadline": write_moment(datetime.now(UTC) + timedelta(seconds=50)),
            "data": {"cause": "declined"},
        }
        stolen = str(record["mac"])
        macs = (stolen, stolen.partition(".")[0] + "." + "0" * 64, "nobody." + "0" * 64, "")
        lies: list[bytes | None] = [canonical.dumps(forged | {"mac": mac}) for mac in macs]
        lies += [
            canonical.dumps({k: v for k, v in forged.items() if k != "mac"}),
            newest.replace(b"twofold.password_set", b"twofold.xassword_set"),
            json.dumps(record).encode(),  # The same, but not canonical.
            newest + b"\n",
            newest,  # A replay.
            known[0][1],  # An older one.
            b"", None, b"\x00" * 100, b"{}", b"[]", b"\xff\xfe", b"{" * 5_000, b"9" * 70_000,
        ]  # fmt: skip
        for lie in lies:
            world.produce("twofold.events", lie, organisation, partition=partition)
        world.produce(
            "twofold.events", newest, organisation, [("ключ", b"\xff"), ("content-type", b"x")],
            partition,
        )  # fmt: skip
        still_works(world, eve)
        fates = [
            world.fate_of("twofold.events", r.partition, r.offset)
            for r in world.records("twofold.events")
            if r.members.get("id") == forged["id"]
        ]
        assert fates == ["forged"] * 3 + ["malformed"] * 2  # Of the last two, the MAC has no shape.
        # Nothing else was wrong with it: under the writers' own key it takes her 2FA.
        fact = {name: value for name, value in forged.items() if name != "mac"}
        code = hmac.digest(world.ring.mac.key, canonical.dumps(fact), "sha256").hex()
        sealed = canonical.dumps(fact | {"mac": f"{world.ring.mac.current}.{code}"})
        world.produce("twofold.events", sealed, organisation, partition=partition)
        until(lambda: world.login(eve).body.get("two_factor") == "off")

    @pytest.mark.row(51)
    def test_takes_no_record_of_another_stream_or_partition(
        self, world: Attacked, organisation: str
    ) -> None:
        """A true record, MAC and all, in the other partition."""
        eve = world.join(organisation, choice=SETUP_NEW)
        known = of(world, eve.account)
        partition = known[0][0]
        # The first one follows nothing: there, it would begin the stream anew.
        for _, value in (known[0], known[-1]):
            world.produce("twofold.events", value, organisation, partition=1 - partition)
        copies = [
            world.fate_of("twofold.events", r.partition, r.offset)
            for r in world.records("twofold.events")
            if r.partition != partition and r.members.get("subject") == eve.account
        ]
        assert copies == ["malformed"] * 2
        still_works(world, eve)


class TestTheVault:
    @pytest.mark.row(38)
    def test_swapped_entries_open_nothing(self, world: Attacked, organisation: str) -> None:
        """Mallory's password entry under the victim's id: sealed bytes that are good elsewhere."""
        mallory, eve = world.join(organisation), world.join(organisation, choice=SETUP_NEW)
        theirs = _entry_of(world, mallory)
        victim = _entry_of(world, eve)
        entries = {m.key: m for m in world.records("twofold.vault") if m.value}
        stolen, original = entries[theirs.encode()], entries[victim.encode()]
        swapped = stolen.members | {"entry": victim, "id": victim}
        swapped = {k: v for k, v in swapped.items() if k in original.members}
        for value in (stolen.value, json.dumps(swapped).encode(), canonical.dumps(swapped)):
            world.produce("twofold.vault", value, victim, partition=original.partition)
        code = eve.app.lasting_code()  # Nothing burns it: no password is right until the last one.
        eve_with_his = Somebody(organisation, eve.staff_id, eve.username, "", mallory.password)
        world.login(eve_with_his, code=code).expect(401, "invalid-credentials")
        assert _stored(world, victim) == original.value
        # Nor where they were put into the database itself: they are sealed for their own place.
        kept = stolen.value or b"", canonical.dumps(swapped)
        for value in kept:
            _store(world, victim, value)
            answer = world.login(eve_with_his, code=code, web=world.auths[1])
            answer.expect(503, "unavailable")
        _store(world, victim, original.value or b"")
        world.login(eve, code=code).expect(200, two_factor="on")

    @pytest.mark.row(38)
    def test_made_up_wrappings_take_nothing_away(self, world: Attacked, organisation: str) -> None:
        """What no key opens shuts nobody out, and isn't what the topic keeps of the entry."""
        ada, eve = world.administrator(organisation), world.join(organisation, choice=SETUP_NEW)
        theirs = {
            r.key: r for r in world.records("twofold.vault")
            if r.members.get("owner") == eve.staff_id
        }  # fmt: skip
        assert sorted(r.members["kind"] for r in theirs.values()) == [
            "authenticator", "password", "personal",
        ]  # fmt: skip
        for entry, record in theirs.items():
            for lie in ({"key": "k0"}, {"wrapped_key": "AAAA"}, {"key": "k9", "sealed": "AAAA"}):
                value = json.dumps(record.members | lie).encode()
                world.produce("twofold.vault", value, entry, partition=record.partition)

        def are_restored() -> bool:
            last = {r.key: r.value for r in world.records("twofold.vault")}
            return all(last[entry] == record.value for entry, record in theirs.items())

        until(are_restored)
        people = f"/api/organisations/{organisation}/staff"
        assert _names(world, people, ada)[eve.staff_id] == eve.username
        world.logged_in(eve).expect(200, two_factor="on")

    @pytest.mark.row(38)
    def test_one_lost_data_key_hides_nobody_else(self, world: Attacked, organisation: str) -> None:
        """A tombstone, which nobody can tell from ours, and something made up in its place."""
        ada, eve = world.administrator(organisation), world.join(organisation)
        people = f"/api/organisations/{organisation}/staff"
        before = _names(world, people, ada)
        [record] = [
            r for r in world.records("twofold.vault")
            if r.members.get("owner") == eve.staff_id and r.members["kind"] == "personal"
        ]  # fmt: skip
        lie = json.dumps(record.members | {"key": "k0", "wrapped_key": "AAAA"}).encode()
        for value in (None, lie):
            world.produce("twofold.vault", value, record.key, partition=record.partition)
        is_there = "SELECT 1 FROM vault_entry WHERE id = $1 AND key_id = 'k0'"
        until(lambda: world.fetch(is_there, record.key.decode()))
        assert _names(world, people, ada) == before | {eve.staff_id: None}

    @pytest.mark.row(38)
    def test_each_entry_has_a_data_key_of_its_own(self, world: Attacked) -> None:
        seen: dict[str, set[str]] = {}
        values = [r.members for r in world.records("twofold.vault") if r.members.get("kind")]
        assert values
        for value in values:
            for name, member in value.items():
                if isinstance(member, str) and len(member) >= 40 and name not in {"entry", "id"}:
                    seen.setdefault(name, set()).add(member)
        wrapped = [name for name in seen if "key" in name or "wrap" in name]
        assert wrapped, seen.keys()
        ids = {value.get("entry") or value.get("id") for value in values}
        assert all(len(seen[name]) >= len(ids) for name in wrapped)


def _names(world: Attacked, people: str, caller: Somebody) -> dict[str, str | None]:
    found = world.staff.get(people, caller.session).expect(200).body["people"]
    return {one["staff_id"]: one["username"] for one in found}


def _stored(world: Attacked, entry: str) -> bytes:
    return bytes(world.fetch("SELECT value FROM vault_entry WHERE id = $1", entry)[0]["value"])


def _store(world: Attacked, entry: str, value: bytes) -> None:
    world.fetch("UPDATE vault_entry SET value = $2 WHERE id = $1", entry, value)


def _entry_of(world: Attacked, somebody: Somebody) -> str:
    """The id of the entry that holds their password."""
    record = next(
        json.loads(value)
        for _, value in reversed(of(world, somebody.account))
        if ".password_set." in json.loads(value)["type"]
    )
    return str(record["data"]["credential"])
