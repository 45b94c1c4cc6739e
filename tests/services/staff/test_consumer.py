"""Every command through the real topic, and everything that is none."""

import json
from datetime import timedelta

from aiokafka.record.util import calc_crc32c
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events import streams
from events.command_wire import sign
from events.facts import Position
from tests.services.staff.office import Key, Office
from tests.services.staff.people import uuid

CANARY = "canary-4711"
POISONED = b"7f0c2f64-51f7-4a0e-9b4c-6d1f6e0a9c11"


class TestEveryCommand:
    async def test_takes_effect_and_has_its_outcome(self, busy: Office) -> None:
        acme = await busy.organisation()
        sam = await busy.join(acme, enrolled=True)
        await busy.join(acme, "administrator")
        account = streams.account(acme, sam.staff_id)
        about = busy.about(sam)
        for name, data in {
            "change_staff_details": {
                "organisation_id": acme,
                "staff_id": sam.staff_id,
                "email": "new@acme.example",
                "username": uuid(),
            },
            "change_role": about | {"role": "administrator"},
            "disable_two_factor": about,
            "require_password_reset": about,
            "deactivate_staff": about,
            "reactivate_staff": about,
            "forget_staff": about,
            "set_two_factor_policy": {"organisation_id": acme, "mandatory": True, "reason": "r"},
            "set_password_expiry": {"organisation_id": acme, "max_age_days": 90, "reason": "r"},
        }.items():
            outcome = await busy.send(name, data)
            assert outcome["outcome"] == "accepted", (name, outcome)
            await busy.world.queries.wait_for(Position.parse(outcome["position"]))
        assert await busy.counted(account) == [
            "staff_registered",
            "password_set",
            "two_factor_enrolled",
            "staff_details_changed",
            "role_changed",
            "two_factor_disabled",
            "password_reset_required",
            "staff_deactivated",
            "staff_reactivated",
            "staff_forgotten",
        ]
        assert await busy.counted(streams.organisation(acme)) == [
            "organisation_registered",
            "two_factor_policy_changed",
            "password_expiry_changed",
        ]
        assert await busy.counted(streams.links(acme, sam.staff_id)) == [
            "password_link_issued",
            "password_link_issued",
        ]

    async def test_the_position_of_an_outcome_includes_its_effects(self, busy: Office) -> None:
        acme = await busy.organisation()
        data = busy.newcomer(acme)
        position = Position.parse((await busy.send("register_staff", data))["position"])
        await busy.world.queries.wait_for(position)
        found, read_at = await busy.world.queries.person(acme, data["staff_id"])
        assert found is not None
        assert read_at.offset >= position.offset

    async def test_refused_it_says_why_and_stays_refused(self, busy: Office) -> None:
        acme = await busy.organisation()
        sam = await busy.join(acme)
        command_id = uuid()
        value = busy.write("disable_two_factor", busy.about(sam), command_id=command_id)
        await busy.put(value)
        first = await busy.outcome(command_id)
        assert (first["outcome"], first["reason"]) == ("rejected", "not-enrolled")
        # Enrolled meanwhile: the same command, delivered again, is refused as it was.
        await busy.put(value)
        assert await busy.outcome(command_id, 2) == first
        stream = streams.command(acme, "operator", command_id)
        assert await busy.counted(stream) == ["command_rejected"]

    async def test_is_refused_outside_of_its_audience_and_time(self, busy: Office) -> None:
        acme = {"organisation_id": await busy.organisation()}
        policy = acme | {"mandatory": True, "reason": "r"}
        other = await busy.send("set_two_factor_policy", policy, audience="production/elsewhere")
        assert other["reason"] == "wrong-audience"
        late = await busy.send("set_two_factor_policy", policy, lifetime=timedelta(seconds=-1))
        assert late["reason"] == "expired"
        nowhere = await busy.send("set_two_factor_policy", policy | {"organisation_id": uuid()})
        assert nowhere["reason"] == "unknown-organisation"


class TestTheSameIdAgain:
    async def test_has_the_same_outcome_and_one_effect(self, busy: Office) -> None:
        acme = await busy.organisation()
        sam = await busy.join(acme)
        command_id = uuid()
        value = busy.write("deactivate_staff", busy.about(sam), command_id=command_id)
        for partition in (0, 1, 0, 1, 0):
            await busy.put(value, partition=partition)
        await busy.outcome(command_id, 5)
        found = await busy.outcomes.wait_for(
            lambda _, one: one["data"]["command_id"] == command_id, 5
        )
        assert len({json.dumps(one["data"], sort_keys=True) for one in found}) == 1
        names = await busy.counted(streams.account(acme, sam.staff_id))
        assert names.count("staff_deactivated") == 1

    async def test_with_other_bytes_is_refused_and_changes_nothing(self, busy: Office) -> None:
        acme = await busy.organisation()
        sam = await busy.join(acme)
        command_id = uuid()
        await busy.send("deactivate_staff", busy.about(sam), command_id=command_id)
        other = busy.write("reactivate_staff", busy.about(sam), command_id=command_id)
        await busy.put(other)
        outcome = await busy.outcome(command_id, 2)
        assert outcome["reason"] == "different-command-same-id"
        stream = streams.command(acme, "operator", command_id)
        assert await busy.counted(stream) == ["command_accepted"]
        assert not (await busy.person(sam.staff_id)).active

    async def test_to_another_organisation_is_another_command(self, busy: Office) -> None:
        """A command's stream is its organisation's: that puts it in one order with its effects."""
        command_id = uuid()
        for number in (1, 2):
            organisation = await busy.organisation()
            sam = await busy.join(organisation)
            value = busy.write("deactivate_staff", busy.about(sam), command_id=command_id)
            await busy.put(value)
            assert (await busy.outcome(command_id, number))["outcome"] == "accepted"
            assert not (await busy.person(sam.staff_id)).active

    async def test_by_another_publisher_is_another_command(self, busy: Office) -> None:
        acme = await busy.organisation()
        sam, eve = await busy.join(acme), await busy.join(acme)
        billing, command_id = busy.register("billing"), uuid()
        for whom, key in ((sam, busy.operator), (eve, billing)):
            outcome = await busy.send(
                "deactivate_staff", busy.about(whom), key=key, command_id=command_id
            )
            assert outcome["outcome"] == "accepted"
            assert not (await busy.person(whom.staff_id)).active
        told = await busy.outcomes.wait_for(
            lambda _, one: one["data"]["command_id"] == command_id, 2
        )
        assert [one["publisher"] for one in told] == ["operator", "billing"]


class TestDeadLetters:
    async def test_take_what_is_no_command_and_the_next_is_processed(self, busy: Office) -> None:
        acme = await busy.organisation()
        sam = await busy.join(acme)
        good = busy.write("deactivate_staff", busy.about(sam))
        stranger = Key("stranger", Ed25519PrivateKey.generate())
        impostor = Key("operator", Ed25519PrivateKey.generate())
        unknown = good.replace(b"deactivate_staff", b"delete_everything")
        cases: list[tuple[str, bytes | None, list[tuple[str, bytes]] | None]] = [
            ("unsigned", good, []),
            ("unknown-key", good, sign(good, stranger.id, stranger.private)),
            ("bad-signature", good, sign(good, impostor.id, impostor.private)),
            (
                "bad-signature",
                good + b" ",
                sign(good, busy.operator.id, busy.operator.private),
            ),
            ("bad-headers", good, [("keyid", b"\xff"), ("signature", b"x")]),
            ("bad-headers", good, [("keyid", b"operator")] * 2),
            ("tombstone", None, [("keyid", b"operator"), ("signature", b"x")]),
            ("unreadable", unknown, None),
            ("unreadable", CANARY.encode(), None),
            ("unreadable", b'{"id":"' + CANARY.encode() + b'\\u0000"}', None),
            ("unreadable", b" " * 65_537 + good, None),
            ("unreadable", good.replace(b'"staff_id"', b'"staff_Id"'), None),
        ]
        keys = [uuid().encode() for _ in cases]
        for key, (_, value, headers) in zip(keys, cases, strict=True):
            await busy.put(value, key=key, headers=headers)
        await busy.put(good)
        assert (await busy.outcome(json.loads(good)["id"]))["outcome"] == "accepted"
        for key, (reason, _, _) in zip(keys, cases, strict=True):
            letter = await busy.dead_letter(key)
            assert letter["reason"] == reason
            assert CANARY not in json.dumps(letter)

    async def test_take_a_header_that_is_no_utf_8_and_the_next_is_processed(
        self, busy: Office
    ) -> None:
        acme = await busy.organisation()
        sam = await busy.join(acme)
        values = [
            busy.write(name, busy.about(sam)) for name in ("deactivate_staff", "reactivate_staff")
        ]
        await _put_poisoned_batch(busy, values)
        for value in values:
            assert (await busy.outcome(json.loads(value)["id"]))["outcome"] == "accepted"
        assert (await busy.dead_letter(POISONED))["reason"] == "bad-headers"

    async def test_leave_out_a_key_as_long_as_a_record_and_the_next_is_processed(
        self, busy: Office
    ) -> None:
        """A letter with that key and a reason beside it would be longer than a topic takes."""
        acme = await busy.organisation()
        good = busy.write("deactivate_staff", busy.about(await busy.join(acme)))
        await busy.put(b"{}", key=b"k" * 1_048_400, headers=[])
        await busy.put(good)
        assert (await busy.outcome(json.loads(good)["id"]))["outcome"] == "accepted"


async def _put_poisoned_batch(office: Office, values: list[bytes]) -> None:
    """One batch: a record with a header's name that is no UTF-8 between good ones."""
    batch = office.producer.create_batch()
    signed = [sign(value, office.operator.id, office.operator.private) for value in values]
    for key, value, headers in (
        (b"k", values[0], signed[0]),
        (POISONED, b"{}", [("name-to-spoil", b"x")]),
        (b"k", values[1], signed[1]),
    ):
        assert batch.append(timestamp=None, key=key, value=value, headers=headers)
    spoilt = bytearray(batch._build().replace(b"name-to-spoil", b"\xff" * 13))
    # Kafka's batch header (format 2): the checksum stands at 17, over everything from 21 on.
    spoilt[17:21] = calc_crc32c(bytes(spoilt[21:])).to_bytes(4)
    batch._buffer = bytes(spoilt)
    await (await office.producer.send_batch(batch, office.commands, partition=0))
