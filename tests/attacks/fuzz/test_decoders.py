"""
Whoever can write to Kafka writes what they like: no decoder may do anything but read it or refuse.

Structure-aware: cases are records and commands of ours with members gone, new, nasty or of others,
spelt canonically or not, or with bytes changed. 100,000 cases in `make attacks`, all told.
"""

import contextlib
import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from events import canonical, catalogue, command_wire, commands, envelope, keys, streams
from events.acceptance import PartitionState, judge
from events.facts import Position
from events.moments import to_milliseconds
from events.records import Fate, HaltError, Record
from events.vault.sealing import SealedEntry, UnsealingError, to_text
from services.auth.domain.errors import TicketDeadError
from services.auth.tickets import Tickets
from services.web.bodies import read_strictly
from tests.attacks.fuzz.cases import Try
from tests.attacks.fuzz.garbage import NASTY
from tests.events.records import KEYS, START, event, sealed, uuid
from tests.events.test_acceptance_properties import Writing, logs, slow_fate
from tests.events.test_commands import SAMPLES, STAFF

pytestmark = [pytest.mark.attacks, pytest.mark.row(46)]

STREAM = streams.organisation(uuid())
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

JSON = st.recursive(
    st.sampled_from(NASTY) | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutilated(draw: st.DrawFn, told: Mapping[str, Any]) -> bytes:
    """*told* as JSON, after some harm was done to it or to its bytes."""
    copy: dict[str, Any] = json.loads(json.dumps(told))
    for _ in range(draw(st.integers(0, 2))):
        inner = copy.get("data") if draw(st.booleans()) else copy
        inner = inner if isinstance(inner, dict) else copy
        name = draw(st.sampled_from([*inner, "another"]))
        if draw(st.booleans()):
            inner[name] = deepcopy(draw(JSON))  # A later harm may be done within it.
        else:
            inner.pop(name, None)
    text = _canonical(copy) if draw(st.integers(0, 2)) else json.dumps(copy)
    value = bytearray(text.encode(errors="surrogatepass"))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(value)))
        value[at : at + draw(st.integers(0, 3))] = draw(
            st.sampled_from([b"", b"\0", b"\xff", b" ", b"{", b'"', b"\\u0000", b"9"])
        )
    return bytes(value)


def _canonical(told: Mapping[str, Any]) -> str:
    return json.dumps(told, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


RECORD = json.loads(
    sealed(
        STREAM,
        previous="a" * 64,
        basis={streams.account(uuid(), uuid()): None, streams.links(uuid(), uuid()): "b" * 64},
        causation_id="command-1",
    )
)
RECORDS = st.sampled_from([RECORD, json.loads(sealed(STREAM))]).flatmap(mutilated)


class TestTheRule:
    def test_every_log_is_judged_the_same_by_two_writings_of_the_rule(self, tried: Try) -> None:
        def check(log: Writing) -> None:
            fates = [slow_fate(log.records, index) for index in range(len(log.records))]
            assert log.fates == fates

        tried(6_000, logs(), check)

    def test_whatever_stands_at_an_offset_has_a_fate_and_moves_the_reader_on(
        self, tried: Try
    ) -> None:
        """Only the keys' owners can halt a reader."""

        def check(value: bytes) -> None:
            for forgetful in (False, True):
                state = PartitionState(0, 1, "g", next_offset=7, forgetful=forgetful)
                judged = judge(state, Record(7, to_milliseconds(START), value), KEYS)
                assert state.next_offset == 8
                honest = value == canonical.dumps(json.loads(value)) if judged.envelope else False
                assert judged.fate in {Fate.MALFORMED, Fate.FORGED} or honest

        tried(14_000, RECORDS, check)

    def test_under_a_good_mac_a_record_is_counted_or_refused_or_halts(self, tried: Try) -> None:
        """Even a thief of the writers' key meets no other error than those."""

        def check(members: tuple[str, dict[str, Any]]) -> None:
            wire_name, data = members
            try:
                value = sealed(STREAM, type=wire_name, data=data)
            except envelope.MalformedError:
                return
            state = PartitionState(0, 1, "g", next_offset=7)
            try:
                judge(state, Record(7, to_milliseconds(START), value), KEYS)
            except HaltError:
                assert state.next_offset == 7

        kinds = st.sampled_from([*catalogue.TYPES, "twofold.unknown.v1"])
        data = st.dictionaries(
            st.sampled_from(["reason", "name", "outcome", "source", "mandatory", "credential",
                             "time_step", "session", "link", "generation", "partitions"]),
            JSON, max_size=5,
        )  # fmt: skip
        tried(4_000, st.tuples(kinds, data), check)


class TestRecords:
    def test_are_read_and_written_to_the_same_bytes_or_refused(self, tried: Try) -> None:
        def check(value: bytes) -> None:
            try:
                read = envelope.read(value)
            except envelope.MalformedError:
                return
            assert len(value) <= envelope.MAX_BYTES
            assert canonical.dumps(json.loads(value)) == value
            assert b"\0" not in value
            assert read.subject
            assert read.deadline.tzinfo is not None

        tried(20_000, RECORDS, check)

    def test_of_any_json_are_no_more_trouble(self, tried: Try) -> None:
        def check(value: Any) -> None:
            text = _canonical(value) if isinstance(value, dict) else json.dumps(value)
            for one in (text.encode(errors="surrogatepass"), repr(value).encode(errors="replace")):
                with pytest.raises(envelope.MalformedError):
                    envelope.read(one)

        tried(10_000, JSON, check)


def _written(name: str) -> dict[str, Any]:
    told = command_wire.write_command(
        commands.parse_command(name, SAMPLES[name]),
        command_id="cmd-1",
        source="twofold/tests",
        audience="test/twofold.commands",
        actor=f"staff/{STAFF}",
        now=START,
    )
    return dict(json.loads(told))


class TestCommands:
    COMMANDS = st.sampled_from([_written(name) for name in SAMPLES]).flatmap(mutilated)
    KEY = Ed25519PrivateKey.generate().public_key()

    def test_are_read_or_refused_without_a_word_of_theirs(self, tried: Try) -> None:
        def check(value: bytes) -> None:
            try:
                read = command_wire.read_command(command_wire.read_envelope(value))
            except commands.UnreadableCommandError as error:
                complaint = str(error)
            else:
                for text in read.model_dump().values():
                    if isinstance(text, str):
                        # What a database and a log can hold.
                        assert "\0" not in text
                        text.encode()
                return
            assert "agency.example" not in complaint
            assert "stolen" not in complaint

        tried(20_000, self.COMMANDS, check)

    def test_of_a_shape_name_their_moments_in_a_time_zone(self, tried: Try) -> None:
        def check(value: bytes) -> None:
            try:
                read = command_wire.read_envelope(value)
            except commands.UnreadableCommandError:
                return
            assert read.expiry - read.time > timedelta.min
            assert not command_wire.is_signed(value, b"A" * 86 + b"==", self.KEY)

        tried(5_000, self.COMMANDS, check)


class TestTheRest:
    def test_entries_of_the_vault_are_read_or_refused(self, tried: Try) -> None:
        told = {
            "id": uuid(), "kind": "password", "owner": uuid(), "key": "k1",
            "deadline": "2026-11-24T09:00:00.000Z",
            "wrapped_key": to_text(b"w" * 60), "sealed": to_text(b"s" * 60),
        }  # fmt: skip

        def check(value: bytes) -> None:
            try:
                entry = SealedEntry.from_bytes(value)
            except UnsealingError:
                return
            for text in (entry.id, entry.kind, entry.owner, entry.key_id):
                assert text.isascii()
                assert text.isprintable()
            assert SealedEntry.from_bytes(entry.to_bytes()) == entry

        tried(11_000, mutilated(told), check)

    def test_positions_tickets_and_bodies_are_read_or_refused(self, tried: Try) -> None:
        tickets = Tickets(keys.generate())
        good = tickets.login("a" * 64, NOW)

        def check(case: tuple[str, str, Any]) -> None:
            position, ticket, body = case
            with contextlib.suppress(ValueError):
                assert str(Position.parse(position)).startswith(position.split(":")[0])
            for given in (ticket, good[:5] + ticket + good[5:]):
                with pytest.raises(TicketDeadError):
                    tickets.open_login(given, NOW)
                assert tickets.known_device(given, STAFF, NOW) is None
            with contextlib.suppress(json.JSONDecodeError):
                assert read_strictly(json.dumps(body).encode()) == body

        text = st.text(max_size=40)
        places = st.from_regex(r"[a-z0-9-]{0,8}:[0-9]{0,9}:[0-9]{0,22}", fullmatch=True)
        tried(10_000, st.tuples(places | text, text.filter(bool), JSON), check)


def test_the_event_that_is_mutilated_is_a_good_one() -> None:
    assert envelope.read(canonical.dumps(RECORD)).subject == event(STREAM).subject
