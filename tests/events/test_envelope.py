"""The record: written, read again, and every shape that is none."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import canonical, envelope, streams
from events.envelope import MalformedError
from tests.events.records import KEY, KEY_ID, KEYS, altered, event, sealed, uuid

STREAM = streams.organisation(uuid())
ACCOUNT = streams.account(uuid(), uuid())
LINKS = streams.links(uuid(), uuid())

FULL = event(
    STREAM,
    previous="a" * 64,
    basis={LINKS: None, ACCOUNT: "b" * 64},
    causation_id="command-1",
    actor=f"staff/{uuid()}",
    data={"name": 'Ä "x"', "nested": [1, None, {"a": True}]},
)


class TestRoundTrip:
    @pytest.mark.parametrize("written", [event(STREAM), FULL], ids=["least", "most"])
    def test_what_is_sealed_is_read(self, written: envelope.Envelope) -> None:
        read = envelope.read(envelope.seal(written, KEY_ID, KEY))
        assert replace(read, mac="") == written
        assert envelope.is_authentic(read, KEYS)

    def test_the_record_is_a_structured_mode_cloudevent(self) -> None:
        told = canonical.loads(envelope.seal(FULL, KEY_ID, KEY))
        assert told["specversion"] == "1.0"
        assert told["datacontenttype"] == "application/json"
        # CloudEvents 1.0 §3.1: attributes' names are lower-case letters and digits.
        assert all(name.isascii() and name.isalnum() and name.islower() for name in told)

    def test_the_basis_is_sorted_and_names_empty_streams(self) -> None:
        told = canonical.loads(envelope.seal(FULL, KEY_ID, KEY))
        pairs = told["basis"].split(" ")
        assert pairs == sorted(pairs)
        assert set(pairs) == {f"{LINKS}=-", f"{ACCOUNT}={'b' * 64}"}


class TestAuthenticity:
    @pytest.mark.parametrize(
        "members",
        [
            {"id": "other"}, {"source": "twofold/other"}, {"type": "twofold.tick.v1"},
            {"time": "2026-11-24T09:00:00.001Z"}, {"subject": streams.log(0)},
            {"actor": "anonymous"}, {"deadline": "2026-11-24T09:00:30.000Z"},
            {"correlationid": "other"}, {"data": {"name": "Other"}}, {"previous": "c" * 64},
            {"basis": None}, {"previous": None}, {"causationid": None}, {"mac": f"old.{'0' * 64}"},
        ],
        ids=str,
    )  # fmt: skip
    def test_every_member_is_under_the_mac(self, members: dict[str, Any]) -> None:
        value = altered(envelope.seal(FULL, KEY_ID, KEY), **members)
        assert not envelope.is_authentic(envelope.read(value), KEYS)

    def test_a_key_is_asked_for_by_its_id(self) -> None:
        read = envelope.read(sealed(STREAM))
        assert not envelope.is_authentic(read, {})
        assert not envelope.is_authentic(read, {KEY_ID: b"x" * 32})
        assert not envelope.is_authentic(replace(read, mac=""), KEYS)


class TestMalformed:
    @pytest.mark.parametrize(
        "members",
        [
            # Missing.
            {"specversion": None}, {"id": None}, {"source": None}, {"type": None}, {"time": None},
            {"subject": None}, {"datacontenttype": None}, {"deadline": None}, {"actor": None},
            {"correlationid": None}, {"data": None}, {"mac": None},
            # Unknown.
            {"partitionkey": "x"}, {"": "x"},
            # Of another kind.
            {"id": 1}, {"subject": []}, {"previous": False}, {"data": "x"}, {"data": []},
            {"specversion": "1.1"}, {"datacontenttype": "text/plain"},
            # Of another shape.
            {"id": ""}, {"id": "-a"}, {"id": "a" * 129}, {"id": "ä"}, {"id": "a\n"},
            {"subject": ""},
            {"source": "Twofold"}, {"type": "twofold.tick.v0"}, {"type": "twofold.tick"},
            {"type": "twofold.Tick.v1"}, {"type": "other.tick.v1"},
            {"time": "2026-11-24T09:00:00Z"},
            {"deadline": "soon"}, {"deadline": "2026-02-30T09:00:00.000Z"}, {"actor": "staff/me"},
            {"actor": "Anonymous"}, {"actor": "service/"}, {"correlationid": "a b"},
            {"causationid": ""}, {"previous": "A" * 64}, {"previous": "-"}, {"previous": "a" * 63},
            {"mac": ""}, {"mac": "a" * 64}, {"mac": f"{KEY_ID}.{'0' * 63}"},
            {"mac": f"{KEY_ID}.{'A' * 64}"}, {"mac": f".{'0' * 64}"},
            # A basis that could be read in two ways.
            {"basis": ""}, {"basis": " "}, {"basis": ACCOUNT}, {"basis": f"{ACCOUNT}="},
            {"basis": "=-"}, {"basis": f"{ACCOUNT}=- "}, {"basis": f"{ACCOUNT}=-  {LINKS}=-"},
            {"basis": f"{ACCOUNT}=- {ACCOUNT}=-"}, {"basis": f"{STREAM}=-"},
            {"basis": f"{ACCOUNT}={'B' * 64}"},
            {"basis": " ".join(sorted([f"{LINKS}=-", f"{ACCOUNT}=-"], reverse=True))},
        ],
        ids=str,
    )  # fmt: skip
    def test_an_attribute_that_is_not_of_its_shape(self, members: dict[str, Any]) -> None:
        with pytest.raises(MalformedError):
            envelope.read(altered(sealed(STREAM), **members))

    @pytest.mark.parametrize(
        "value", [b"", b"[]", b'"x"', b"null", b"1", b"\xff", b'{"a":1}', b"{}" * 2, b"{" * 99]
    )
    def test_bytes_that_are_no_object(self, value: bytes) -> None:
        with pytest.raises(MalformedError):
            envelope.read(value)

    def test_another_spelling_of_a_record(self) -> None:
        value = sealed(STREAM)
        for other in (value + b"\n", value.replace(b",", b", ", 1), b"\xef\xbb\xbf" + value):
            with pytest.raises(MalformedError):
                envelope.read(other)

    def test_more_than_64_kib(self) -> None:
        """The number stays: with another, records of old would change their fate."""
        spare = 65_536 - len(sealed(STREAM, data={"name": ""}))
        longest = sealed(STREAM, data={"name": "x" * spare})
        assert envelope.read(longest).data == {"name": "x" * spare}
        with pytest.raises(MalformedError):
            sealed(STREAM, data={"name": "x" * (spare + 1)})
        with pytest.raises(MalformedError):
            envelope.read(longest.replace(b"xx", b"xxx", 1))

    @given(st.binary(max_size=200))
    def test_random_bytes_never_do_anything_else(self, value: bytes) -> None:
        with pytest.raises(MalformedError):
            envelope.read(value)

    @given(st.data())
    def test_a_changed_byte_is_malformed_or_forged(self, data: st.DataObject) -> None:
        value = bytearray(sealed(STREAM))
        index = data.draw(st.integers(0, len(value) - 1))
        value[index] ^= data.draw(st.integers(1, 255))
        try:
            read = envelope.read(bytes(value))
        except MalformedError:
            return
        assert not envelope.is_authentic(read, KEYS)

    @pytest.mark.parametrize(
        "attributes", [{"id": ""}, {"actor": "me"}, {"data": {"a": 0.5}}, {"data": {"a": "\0"}}],
        ids=str,
    )  # fmt: skip
    def test_no_such_record_is_ever_written(self, attributes: dict[str, Any]) -> None:
        with pytest.raises(MalformedError):
            sealed(STREAM, **attributes)
