"""Canonical JSON: RFC 8785 for a JSON without fractions, and nothing that libraries disagree on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import canonical
from events.canonical import MAX_INTEGER, NotCanonicalError
from events.records import Fate

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=1)), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read_and_written_the_same(value: Any) -> None:
    written = canonical.dumps(value)
    assert canonical.loads(written) == value
    assert canonical.dumps(canonical.loads(written)) == written


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_or_come_back_the_same(value: bytes) -> None:
    try:
        read = canonical.loads(value)
    except NotCanonicalError:
        return
    assert canonical.dumps(read) == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        # RFC 8785 §3.2.2.2: only these are escaped, in their short forms where they have one.
        ('\u20ac$\u000f\u000aA\'B"\\/', b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\/"'),
        ("\b\t\n\f\r\x1f\x7f", b'"\\b\\t\\n\\f\\r\\u001f\x7f"'),
        ("\u2028\ufb33\U0001f600", '"\u2028\ufb33\U0001f600"'.encode()),
        # §3.2.3: keys are sorted; §3.2.1: no white space.
        ({"b": [1, {"d": None, "c": True}], "a": "", "B": {}, "10": 1, "9": 1},
         b'{"10":1,"9":1,"B":{},"a":"","b":[1,{"c":true,"d":null}]}'),
        ([0, -1, MAX_INTEGER, -MAX_INTEGER], b"[0,-1,9007199254740991,-9007199254740991]"),
        # What Python has besides: a tuple is an array, a word of an enumeration a string.
        (("a", Fate.COUNTED), b'["a","counted"]'),
    ],
)  # fmt: skip
def test_spells_as_rfc_8785_does(value: Any, written: bytes) -> None:
    assert canonical.dumps(value) == written


@pytest.mark.parametrize(
    "value",
    [
        b'{"a":1,"a":1}', b'{"b":1,"a":1}', b'{"a": 1}', b' {"a":1}', b'{"a":1}\n', b'"\\u0041"',
        b'"\\/"', b'"\\u000A"', b"1.0", b"1e2", b"-0", b"01", b"1e400", b"NaN", b"Infinity",
        b"-Infinity", b"9007199254740992", b"1" * 5_000, b'"\\u0000"', b'{"\\u0000":1}',
        b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", '{"ü":1}'.encode(),
        b"[" * 40 + b"]" * 40, b"[" * 200_000, b"'a'", b"[1,]", b"//\n1", b"", b"\xff", b"tru",
        "1".encode("utf-16"),
    ],
)  # fmt: skip
def test_refuses_what_libraries_read_differently(value: bytes) -> None:
    with pytest.raises(NotCanonicalError):
        canonical.loads(value)


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        float("nan"),
        MAX_INTEGER + 1,
        "\ud800",
        "a\0",
        {"\0": 1},
        {"ü": 1},
        {1: 1},
        b"x",
        {1, 2},
    ],
)
def test_writes_no_such_value_either(value: Any) -> None:
    with pytest.raises(NotCanonicalError):
        canonical.dumps(value)


def test_depth_is_bounded_the_same_both_ways() -> None:
    """The number stays: with another, records of old would change their fate."""

    def nested(depth: int) -> Any:
        return [] if depth == 1 else [nested(depth - 1)]

    deepest = nested(32)
    assert canonical.loads(canonical.dumps(deepest)) == deepest
    with pytest.raises(NotCanonicalError):
        canonical.dumps(nested(33))
    with pytest.raises(NotCanonicalError):
        canonical.loads(json.dumps(nested(33), separators=(",", ":")).encode())


def test_a_digest_is_sha256_in_lower_case_hex() -> None:
    """FIPS 180-4's example."""
    assert canonical.digest(b"abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
