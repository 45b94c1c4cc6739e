"""Somebody who can write to the commands' topic: without a key, with a stolen one, with poison."""

import json
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.demo.flows import accepted, rejected
from tests.attacks.commands import command, letters
from tests.attacks.conftest import Publishers
from tests.attacks.system import SETUP_NEW, Attacked, until

CANARY = "zeisig-singt-im-garten-42"
WITHIN_S = 5


def operators_key(world: Attacked) -> bytes:
    return world.operator._key.private_bytes_raw()


class TestSignatures:
    @pytest.mark.row(44, 47)
    def test_what_is_not_signed_or_altered_is_no_command(
        self, world: Attacked, organisation: str
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        key = Ed25519PrivateKey.from_private_bytes(operators_key(world))
        value = command("disable_two_factor", world.about(eve))
        signature = b64encode(key.sign(value))
        other = world.join(organisation, choice=SETUP_NEW)
        swapped = value.replace(eve.staff_id.encode(), other.staff_id.encode())
        stranger = Ed25519PrivateKey.generate()
        before = len(letters(world))
        world.log.mark()
        by, signed = ("keyid", b"operator"), ("signature", signature)
        strangers = ("signature", b64encode(stranger.sign(value)))
        staffs = ("keyid", world.ring.signing_id.encode())
        tries: list[tuple[bytes, list[tuple[str, bytes]], str]] = [
            (value, [], "unsigned"),
            (value, [by], "bad-headers"),
            (value, [signed], "bad-headers"),
            (swapped, [by, signed], "bad-signature"),
            (value + b" ", [by, signed], "bad-signature"),
            (value, [by, strangers], "bad-signature"),
            (value, [("keyid", b"nobody"), signed], "unknown-key"),
            (value, [by, ("signature", b"")], "bad-signature"),
            (value, [by, ("keyid", b"nobody"), signed], "bad-headers"),
            (value, [staffs, signed], "bad-signature"),
        ]
        for forged, headers, _ in tries:
            world.produce("twofold.commands", forged, organisation, headers)
        until(lambda: len(letters(world)) >= before + len(tries))
        told = [letter.members["reason"] for letter in letters(world)[before:]]
        assert sorted(told) == sorted(reason for _, _, reason in tries)
        for one in (eve, other):
            world.log.expect_none(one.account, "two_factor_disabled")
        # As it was signed, it is a command that takes effect.
        accepted(world.operator.publish(value, _id(value), organisation))

    @pytest.mark.row(44)
    def test_organisation_audience_expiry_and_actor_are_inside(
        self, world: Attacked, organisation: str
    ) -> None:
        eve, now = world.join(organisation, choice=SETUP_NEW), datetime.now(UTC)
        about = world.about(eve)
        spoilt = {
            "wrong-audience": {"audience": "production/twofold.commands"},
            "expired": {"expiry": (now - timedelta(seconds=5)).isoformat()},
            "expiry-too-far": {"expiry": (now + timedelta(hours=25)).isoformat()},
            "not-permitted": {"actor": f"staff/{eve.staff_id}"},
        }
        world.log.mark()
        for reason, changes in spoilt.items():
            value = command("disable_two_factor", about, **changes)
            rejected(world.operator.publish(value, _id(value), organisation), reason)
        # Under another organisation's key of Kafka's, what is signed decides.
        elsewhere = world.organisation("Other Estates")
        lost = command("disable_two_factor", {**about, "organisation_id": elsewhere})
        rejected(world.operator.publish(lost, _id(lost), organisation), "unknown-staff")
        world.log.expect_none(eve.account, "two_factor_disabled")


class TestTheSameIdAgain:
    @pytest.mark.row(45)
    def test_has_one_effect_and_one_outcome_and_no_other_bytes(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        value = command("require_password_reset", world.about(sam))
        world.log.mark()
        first = accepted(world.operator.publish(value, _id(value), organisation))
        for _ in range(4):
            again = accepted(world.operator.publish(value, _id(value), organisation))
            assert again["position"] == first["position"]
        other = command("reactivate_staff", world.about(sam), id=_id(value))
        rejected(
            world.operator.publish(other, _id(value), organisation), "different-command-same-id"
        )
        world.log.expect_none(sam.account, "staff_reactivated")
        effects = world.counted(sam.account, "password_reset_required")
        assert [effect["causationid"] for effect in effects] == [_id(value)]

    @pytest.mark.row(45)
    def test_has_one_effect_though_the_consumer_dies(
        self, world: Attacked, organisation: str
    ) -> None:
        people = [world.join(organisation) for _ in range(3)]
        # Whose effect comes each time: only its id says that it was had already.
        values = [command("require_password_reset", world.about(one)) for one in people]
        world.log.mark()
        for value in values:
            for _ in range(3):
                world.place(value, organisation, "operator", operators_key(world))
        world.processes["staff"].kill()
        world.processes["staff"].start()
        world.processes["staff"].wait_for_url(f"{world.staff.url}/health/ready", timeout=60)
        for value in values:
            assert world.outcome_of(_id(value))["outcome"] == "accepted"
        # Behind all of them in the queue, and another that is meant.
        accepted(world.operator.send("require_password_reset", world.about(people[0])))
        for one, effects in zip(people, (2, 1, 1), strict=True):
            assert len(world.counted(one.account, "password_reset_required")) == effects

    @pytest.mark.row(45)
    def test_taken_by_another_publisher_hides_nobody_s_outcome(
        self, world: Attacked, organisation: str, publishers: Publishers
    ) -> None:
        """Ids can be read off the topic: somebody with a small key of their own publishes them."""
        ada, sam = world.administrator(organisation), world.join(organisation)
        thief = publishers.add("small", ["register_organisation"], ["*"])
        body = {"type": "deactivate_staff", "data": world.about(sam)}
        sent = world.staff.post("/api/commands", body, ada.session).expect(202).body["command_id"]
        again = command("deactivate_staff", world.about(sam), actor="service/small", id=sent)
        rejected(thief.publish(again, sent, organisation), "not-permitted")
        assert world.outcome(ada, sent)["outcome"] == "accepted"


class TestPoison:
    @pytest.mark.row(46, 47)
    def test_goes_to_the_dead_letters_in_time_and_the_next_command_is_dealt_with(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        about = {**world.about(sam), "reason": CANARY}
        good = command("deactivate_staff", about)
        text = good.decode()
        poison: list[bytes | None] = [
            None,
            b"",
            b"\x00\xff\xfe garbage " + CANARY.encode(),
            b"[" * 50_000,
            text.replace(CANARY, CANARY + "\\u0000").encode(),
            text.replace(CANARY, "\\ud800" + CANARY).encode(),
            text.replace('"data":', '"data": {}, "data":').encode(),
            text.replace('"specversion"', f'"x{CANARY}": 1, "specversion"').encode(),
            text.replace('"reason"', '"admin": true, "reason"').encode(),
            command("deactivate_staff", about, time="2026-11-24T10:00:00"),
            command("deactivate_staff", about, expiry=1_900_000_000),
            text.replace(f'"{sam.staff_id}"', "NaN").encode(),
            text.replace(f'"{sam.staff_id}"', "1.5").encode(),
            command("no_such_command", about),
            command("deactivate_staff", {**about, "reason": CANARY * 4_000}),
            command("deactivate_staff", {**about, "staff_id": "'; DROP TABLE x; --"}),
        ]
        key = Ed25519PrivateKey.from_private_bytes(operators_key(world))
        before = len(letters(world))
        started = time.monotonic()
        for value in poison:
            signed = b64encode(key.sign(value or b""))
            headers = [("keyid", b"operator"), ("signature", signed)]
            world.produce("twofold.commands", value, organisation, headers)
        until(lambda: len(letters(world)) >= before + len(poison), WITHIN_S + len(poison))
        took = time.monotonic() - started
        assert took < WITHIN_S + len(poison) / 2, f"{took:.1f} s for {len(poison)}"
        for letter in letters(world)[before:]:
            told = (letter.value or b"") + (letter.key or b"") + str(letter.headers).encode()
            assert CANARY.encode() not in told
            assert b64encode(CANARY.encode())[:-4] not in told
        metrics = world.inside["staff"].send("GET", "/metrics").text
        assert 'twofold_commands_total{outcome="dead_letter"' in metrics
        assert CANARY not in world.log_of("staff")
        accepted(world.operator.publish(good, _id(good), organisation))

    @pytest.mark.row(47)
    @pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
    def test_compressed_stops_nothing(self, world: Attacked, organisation: str, codec: str) -> None:
        """The services' own client knows gzip alone, and would stop at any other for good."""
        sam = world.join(organisation)
        # Long enough that compressing it pays: what isn't shortened is sent as it is.
        value = command("deactivate_staff", {**world.about(sam), "reason": "Gone. " * 80})
        key = Ed25519PrivateKey.from_private_bytes(operators_key(world))
        before = len(letters(world))
        world.produce("twofold.commands", value, organisation, codec=codec)
        until(lambda: len(letters(world)) > before, WITHIN_S)
        assert [letter.members["reason"] for letter in letters(world)[before:]] == ["unsigned"]
        # Nor is a publisher kept from using it.
        headers = [("keyid", b"operator"), ("signature", b64encode(key.sign(value)))]
        world.produce("twofold.commands", value, organisation, headers, codec=codec)
        assert world.outcome_of(_id(value))["outcome"] == "accepted"

    @pytest.mark.row(46)
    def test_over_http_is_refused_without_an_echo(self, world: Attacked, organisation: str) -> None:
        ada = world.administrator(organisation)
        token = {"Authorization": f"Bearer {ada.session}", "Content-Type": "application/json"}
        body = json.dumps({"username": CANARY})
        bodies = [
            "", "null", "[]", "{", f'"{CANARY}"', body[:-1] + f', "{CANARY}": 1}}',
            body[:-1] + f', "username": "{CANARY}"}}', json.dumps({"username": CANARY + "\0"}),
            '{"username": "\\ud800' + CANARY + '"}', '{"username": NaN}', '{"username": 1e999}',
            json.dumps({"username": [CANARY]}), json.dumps({"username": CANARY * 40}),
            "[" * 20_000, json.dumps({"username": CANARY}).encode("utf-16").decode("latin-1"),
        ]  # fmt: skip
        for web, path in (
            (world.auths[0], "/api/login/start"), (world.auths[0], "/api/password-resets"),
            (world.auths[0], "/api/login/finish"), (world.auths[0], "/api/step-up"),
            (world.auths[0], "/api/password-changes/open"), (world.staff, "/api/commands"),
            (world.auths[0], "/api/password-changes/finish"),
        ):  # fmt: skip
            for one in bodies:
                answer = web.send("POST", path, content=one.encode(), headers=token)
                assert 400 <= answer.status_code < 500, (path, one[:60], answer.status_code)
                assert CANARY not in answer.text
        large = world.auths[0].send(
            "POST", "/api/login/start", content=b'{"username": "' + b"x" * 100_000, headers=token
        )
        assert large.status_code == 413


def _id(value: bytes) -> str:
    return str(json.loads(value)["id"])
