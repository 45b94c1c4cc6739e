"""Commands as they cross the wire: signed, strict, and silent about what they hold."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from events import command_wire, commands
from events.command_wire import LONGEST_EXPIRY, MAX_BYTES
from events.commands import COMMANDS, Command, SetTwoFactorPolicy, UnreadableCommandError
from tests.events.records import START, uuid

ORGANISATION, STAFF = uuid(), uuid()
ABOUT = {"organisation_id": ORGANISATION, "staff_id": STAFF, "reason": "Phone was stolen."}
SAMPLES: dict[str, dict[str, Any]] = {
    "register_organisation": {"organisation_id": ORGANISATION, "name": "Harbour & Söhne"},
    "register_staff": {
        "organisation_id": ORGANISATION,
        "staff_id": STAFF,
        "username": "maria",
        "email": "maria@agency.example",
        "display_name": "María",
        "role": "administrator",
    },
    "change_staff_details": {
        "organisation_id": ORGANISATION,
        "staff_id": STAFF,
        "email": "m@agency.example",
    },
    "change_role": {**ABOUT, "role": "staff"},
    "disable_two_factor": ABOUT,
    "require_password_reset": ABOUT,
    "deactivate_staff": ABOUT,
    "reactivate_staff": ABOUT,
    "forget_staff": ABOUT,
    "set_two_factor_policy": {
        "organisation_id": ORGANISATION,
        "mandatory": True,
        "from": "2026-12-01T00:00:00Z",
        "reason": "The insurer asks for it.",
    },
    "set_password_expiry": {
        "organisation_id": ORGANISATION,
        "max_age_days": None,
        "reason": "No more.",
    },
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def write(name: str = "disable_two_factor", **arguments: Any) -> bytes:
    told: dict[str, Any] = {
        "command_id": "cmd-1",
        "source": "twofold/tests",
        "audience": "test/twofold.commands",
        "actor": f"staff/{STAFF}",
        "now": START,
    }
    return command_wire.write_command(
        commands.parse_command(name, SAMPLES[name]), **(told | arguments)
    )


def members(**changes: Any) -> bytes:
    """A command's bytes with other members; None takes one away."""
    told = {**json.loads(write()), **changes}
    return json.dumps({name: value for name, value in told.items() if value is not None}).encode()


class TestRoundTrip:
    def test_every_command_has_a_sample(self) -> None:
        assert SAMPLES.keys() == COMMANDS.keys()

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_what_is_written_is_read(self, name: str) -> None:
        envelope = command_wire.read_envelope(write(name))
        assert (envelope.id, envelope.command_name) == ("cmd-1", name)
        assert envelope.expiry - envelope.time == timedelta(minutes=10)
        assert command_wire.read_command(envelope) == commands.parse_command(name, SAMPLES[name])

    def test_no_command_outlives_a_day(self) -> None:
        envelope = command_wire.read_envelope(write(lifetime=timedelta(days=30)))
        assert envelope.expiry - envelope.time == LONGEST_EXPIRY

    def test_publishers_write_json_as_they_like(self) -> None:
        pretty = json.dumps(json.loads(write()), indent=4).encode()
        assert command_wire.read_command(
            command_wire.read_envelope(pretty)
        ) == commands.parse_command("disable_two_factor", ABOUT)

    def test_a_detail_that_is_left_out_stays_left_out(self) -> None:
        data = json.loads(write("change_staff_details"))["data"]
        assert set(data) == {"organisation_id", "staff_id", "email"}


class TestNames:
    @pytest.mark.parametrize(
        "name", ["María", "דנה\u200f לוי", "نی\u200cلوفر", "O'Hara-Smith, née Ó"]
    )
    def test_of_any_script_are_taken(self, name: str) -> None:
        data = SAMPLES["register_staff"] | {"display_name": name, "username": "maría von x"}
        commands.parse_command("register_staff", data)


class TestSigning:
    KEY = Ed25519PrivateKey.generate()

    def test_a_signature_is_over_the_exact_bytes(self) -> None:
        value = write()
        headers = dict(command_wire.sign(value, "publisher-1", self.KEY))
        assert headers["keyid"] == b"publisher-1"
        public = self.KEY.public_key()
        assert command_wire.is_signed(value, headers["signature"], public)
        assert not command_wire.is_signed(value + b" ", headers["signature"], public)

    def test_another_key_did_not_sign_it(self) -> None:
        signature = dict(command_wire.sign(write(), "publisher-1", self.KEY))["signature"]
        other = Ed25519PrivateKey.generate().public_key()
        assert not command_wire.is_signed(write(), signature, other)

    @pytest.mark.parametrize("signature", [b"", b"x", b"!" * 88, b"\xff", b"A" * 88, b"A" * 10_000])
    def test_garbage_is_no_signature(self, signature: bytes) -> None:
        assert not command_wire.is_signed(write(), signature, self.KEY.public_key())


class TestUnreadable:
    @pytest.mark.parametrize(
        "value",
        [
            b"", b"\xff\xfe", b"[]", b"null", b"{}", b"[" * 100_000, b"\0",
            write().replace(b'"specversion":"1.0"', b'"specversion":"1.0","specversion":"1.0"'),
            write().replace(b"Phone", b"Ph\\u0000one"), write().replace(b"Phone", b"Ph\\ud800one"),
            write().replace(b"Phone", b"\xed\xa0\x80"), b"\xef\xbb\xbf" + write(), write() + b"x",
            write().replace(b'"reason":"Phone was stolen."', b'"reason":1.5'),
            write().replace(b'"reason":"Phone was stolen."', b'"reason":NaN'),
            write().replace(b"Phone", b"P" * MAX_BYTES),
        ],
        ids=range(16),
    )  # fmt: skip
    def test_bytes_that_are_no_command(self, value: bytes) -> None:
        with pytest.raises(UnreadableCommandError):
            command_wire.read_command(command_wire.read_envelope(value))

    @pytest.mark.parametrize(
        "changes",
        [
            {"specversion": "0.3"}, {"id": None}, {"id": ""}, {"id": "a b"}, {"id": "x" * 65},
            {"type": "twofold.command.disable_two_factor.v2"}, {"type": "disable_two_factor"},
            {"type": "twofold.command.x\n.v1"}, {"time": "2026-11-24T09:00:00"}, {"time": 0},
            {"expiry": None}, {"expiry": "never"}, {"audience": None}, {"actor": "system"},
            {"actor": f"staff/{STAFF}\n"}, {"actor": None}, {"data": []}, {"data": None},
            {"added": "x"}, {"datacontenttype": "text/plain"}, {"sessionid": "x"},
        ],
        ids=str,
    )  # fmt: skip
    def test_an_attribute_of_another_shape(self, changes: dict[str, Any]) -> None:
        with pytest.raises(UnreadableCommandError):
            command_wire.read_envelope(members(**changes))

    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("register_staff", {"email": "no address"}), ("register_staff", {"email": "a@b\nc"}),
            ("register_staff", {"email": "a@b,c@d"}), ("register_staff", {"username": ""}),
            ("register_staff", {"username": "x" * 129}), ("register_staff", {"role": "owner"}),
            ("register_staff", {"staff_id": STAFF.upper() + "x"}),
            ("register_staff", {"display_name": "a\tb"}),
            ("register_staff", {"display_name": "Ada\x9b2J"}),
            ("register_staff", {"display_name": "Ada \u202ereggan"}),
            ("register_organisation", {"name": "Estates\u2066"}),
            ("disable_two_factor", {"reason": "a\u2028b"}),
            ("register_staff", {"username": "ada\u200b"}), ("register_staff", {"username": " ada"}),
            ("register_staff", {"username": "ada "}), ("register_staff", {"username": "a\u00a0b"}),
            ("change_staff_details", {"username": "\u202eada"}), ("register_staff", {"added": 1}),
            ("disable_two_factor", {"reason": ""}), ("disable_two_factor", {"reason": "x" * 501}),
            ("set_two_factor_policy", {"mandatory": "yes"}),
            ("set_two_factor_policy", {"mandatory": 1}),
            ("set_two_factor_policy", {"from": "2026-12-01T00:00:00"}),
            ("set_two_factor_policy", {"from": 0}),
            ("set_password_expiry", {"max_age_days": 0}),
            ("set_password_expiry", {"max_age_days": "90"}),
            ("set_password_expiry", {"max_age_days": True}),
        ],
        ids=str,
    )  # fmt: skip
    def test_data_that_does_not_fit(self, name: str, changes: dict[str, Any]) -> None:
        with pytest.raises(UnreadableCommandError, match=f"doesn't fit {name}"):
            commands.parse_command(name, {**SAMPLES[name], **changes})

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_every_member_is_asked_for(self, name: str) -> None:
        optional = {"change_staff_details": {"email"}, "set_two_factor_policy": {"from"}}
        for member in SAMPLES[name].keys() - optional.get(name, set()):
            left = {key: value for key, value in SAMPLES[name].items() if key != member}
            with pytest.raises(UnreadableCommandError, match=f"{member} is missing"):
                commands.parse_command(name, left)

    def test_there_is_no_such_command(self) -> None:
        with pytest.raises(UnreadableCommandError, match="no command of this name"):
            commands.parse_command("drop_everything", {})

    def test_the_sentence_holds_nothing_of_the_command(self) -> None:
        """It goes to the dead letters, which hold no secrets."""
        for value in (members(audience="hunter2\n"), members(hunter2=1, actor="hunter2")):
            with pytest.raises(UnreadableCommandError) as caught:
                command_wire.read_envelope(value)
            assert "hunter2" not in str(caught.value)
            assert caught.value.__cause__ is None

    @given(st.binary(max_size=300))
    def test_random_bytes_are_never_anything_else(self, value: bytes) -> None:
        with pytest.raises(UnreadableCommandError):
            command_wire.read_envelope(value)

    @given(JSON)
    def test_no_other_json_is_a_command(self, value: Any) -> None:
        with pytest.raises(UnreadableCommandError):
            command_wire.read_envelope(json.dumps(value).encode())


def test_every_command_is_about_an_organisation() -> None:
    assert all("organisation_id" in one.model_fields for one in COMMANDS.values())
    assert all(issubclass(one, Command) for one in COMMANDS.values())


@pytest.mark.parametrize(
    "address",
    [
        "a@[", "a@[1.2.3.4]", "(a@b", "a@b(", '"a@b', "a:b@c", "a..b@c", ".@.", "a@b.", "[@]",
        "a\u2028b@x", "a\x85b@x", "a\u200bb@x", "a\u202eb@x", "a\xa0b@x", "a@b\u2029",
        "=?utf-8?q?=0d=0aBcc:_x?=@b", "a@=?utf-8?q?=0d=0aBcc:=20v=40x?=",
    ],
)  # fmt: skip
def test_what_mail_programs_read_otherwise_is_no_address(address: str) -> None:
    with pytest.raises(UnreadableCommandError):
        commands.parse_command("register_staff", SAMPLES["register_staff"] | {"email": address})


@pytest.mark.parametrize("address", ["o'hara+x_y=z@agency.example", "é@ü.example", "a@localhost"])
def test_an_address_may_be_of_any_script(address: str) -> None:
    commands.parse_command("register_staff", SAMPLES["register_staff"] | {"email": address})


def test_a_moment_is_read_as_the_log_keeps_it() -> None:
    finer = SAMPLES["set_two_factor_policy"] | {"from": "2027-01-01T01:00:00.123999+01:00"}
    command = commands.parse_command("set_two_factor_policy", finer)
    assert isinstance(command, SetTwoFactorPolicy)
    assert command.effective == datetime(2027, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_a_moment_that_there_is_not_in_utc_is_none(moment: str) -> None:
    """It was read, and then couldn't be written: the consumer halted on it until it expired."""
    with pytest.raises(UnreadableCommandError):
        commands.parse_command(
            "set_two_factor_policy", SAMPLES["set_two_factor_policy"] | {"from": moment}
        )


@pytest.mark.parametrize(
    "unseen",
    [
        "\u034f", "\u115f", "\u17b4", "\u180b", "\u2800", "\u3164", "\ufe0f", "\uffa0", "\ufff9",
        "\U0001bca0", "\U0001d173", "\U000e0061", "\U000e0100",
    ],
)  # fmt: skip
def test_names_that_look_alike_are_not_two_by_what_shows_nothing(unseen: str) -> None:
    for member, value in (("username", f"ad{unseen}a"), ("email", f"ad{unseen}a@agency.example")):
        for name in ("register_staff", "change_staff_details"):
            with pytest.raises(UnreadableCommandError):
                commands.parse_command(name, SAMPLES[name] | {member: value})


@pytest.mark.parametrize("username", ["ада", "名前", "Ünïcode", "a b", "สมชาย", "علي", "ada🙂"])
def test_a_username_may_be_of_any_script(username: str) -> None:
    commands.parse_command("register_staff", SAMPLES["register_staff"] | {"username": username})
