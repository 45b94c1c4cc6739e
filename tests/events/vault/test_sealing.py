"""Sealed entries: none can be read, altered, or put in another's place."""

import json
from dataclasses import replace
from typing import Any

import pytest

from events.keys import RotatingKey
from events.vault import sealing
from events.vault.sealing import MAX_BYTES, SealedEntry, UnsealingError
from tests.events.records import later, uuid

KEY = RotatingKey("k1", {"k1": b"1" * 32})
ROTATED = RotatingKey("k2", {"k1": b"1" * 32, "k2": b"2" * 32})
OWNER = uuid()
SECRET = b"a seed of twenty byte"


def seal(**attributes: Any) -> SealedEntry:
    told: dict[str, Any] = {
        "entry_id": uuid(),
        "kind": "authenticator",
        "owner": OWNER,
        "deadline": later(10),
        "key": KEY,
    }
    return sealing.seal(SECRET, **(told | attributes))


def unseal(entry: SealedEntry, **attributes: Any) -> bytes:
    told: dict[str, Any] = {
        "entry_id": entry.id,
        "kind": "authenticator",
        "owner": OWNER,
        "key": KEY,
    }
    return sealing.unseal(entry, **(told | attributes))


def test_what_is_sealed_is_unsealed() -> None:
    assert unseal(seal()) == SECRET


def test_nothing_of_the_secret_stands_in_the_entry() -> None:
    entry = seal()
    assert SECRET not in entry.to_bytes()
    assert SECRET not in entry.sealed + entry.wrapped_key


def test_every_entry_has_a_data_key_and_nonces_of_its_own() -> None:
    entries = [seal(entry_id="0" * 36) for _ in range(50)]
    assert len({entry.sealed for entry in entries}) == 50
    assert len({entry.wrapped_key for entry in entries}) == 50


def test_what_is_stored_is_read() -> None:
    entry = seal()
    assert SealedEntry.from_bytes(entry.to_bytes()) == entry


@pytest.mark.parametrize("value", [b"", b"{}", b"null", b"[]", b"\xff", b'{"id":1}', b"1"])
def test_what_is_no_entry_is_refused(value: bytes) -> None:
    with pytest.raises(UnsealingError):
        SealedEntry.from_bytes(value)


@pytest.mark.parametrize(
    "members",
    [
        {"id": "x"}, {"id": "\0" * 36}, {"id": 1}, {"owner": "\ud800"}, {"owner": "a\0"},
        {"owner": ["a"]}, {"kind": "other"}, {"kind": ["password"]}, {"kind": None},
        {"key": "\0"}, {"key": {}}, {"deadline": "soon"}, {"deadline": 0}, {"sealed": 1},
        {"wrapped_key": "é"}, {"sealed": "A" * MAX_BYTES},
    ],
    ids=str,
)  # fmt: skip
def test_every_member_is_of_its_shape(members: dict[str, Any]) -> None:
    """What a database couldn't hold, such as NUL, would stop whoever folds the vault."""
    told = json.loads(seal().to_bytes()) | members
    with pytest.raises(UnsealingError):
        SealedEntry.from_bytes(json.dumps(told).encode())


def test_an_entry_nested_too_deeply_is_refused() -> None:
    with pytest.raises(UnsealingError):
        SealedEntry.from_bytes(b"[" * (MAX_BYTES - 1))


class TestSwapping:
    """Somebody who can write to the vault puts one entry in another's place."""

    def test_another_entry_under_this_ones_id(self) -> None:
        asked_for, other = seal(), seal()
        with pytest.raises(UnsealingError):
            unseal(replace(other, id=asked_for.id), entry_id=asked_for.id)

    def test_another_entry_as_it_is(self) -> None:
        with pytest.raises(UnsealingError):
            unseal(seal(), entry_id=uuid())

    def test_another_persons(self) -> None:
        with pytest.raises(UnsealingError):
            unseal(seal(owner=uuid()))

    def test_another_kind(self) -> None:
        """A password's hash as an authenticator's seed."""
        with pytest.raises(UnsealingError):
            unseal(seal(kind="password"))

    def test_another_entrys_secret_under_this_ones_data_key(self) -> None:
        entry, other = seal(), seal()
        with pytest.raises(UnsealingError):
            unseal(replace(entry, sealed=other.sealed))

    def test_another_entrys_data_key(self) -> None:
        entry, other = seal(), seal()
        with pytest.raises(UnsealingError):
            unseal(replace(entry, wrapped_key=other.wrapped_key))

    def test_both_of_another_entry(self) -> None:
        entry, other = seal(), seal()
        swapped = replace(entry, sealed=other.sealed, wrapped_key=other.wrapped_key)
        with pytest.raises(UnsealingError):
            unseal(swapped)

    def test_another_key_version(self) -> None:
        with pytest.raises(UnsealingError):
            unseal(replace(seal(), key_id="k2"), key=ROTATED)

    @pytest.mark.parametrize("part", ["sealed", "wrapped_key"])
    @pytest.mark.parametrize("index", [0, 11, 12, 30, -1])
    def test_one_changed_bit(self, part: str, index: int) -> None:
        entry = seal()
        changed = bytearray(getattr(entry, part))
        changed[index] ^= 1
        spoilt: dict[str, Any] = {part: bytes(changed)}
        with pytest.raises(UnsealingError):
            unseal(replace(entry, **spoilt))

    @pytest.mark.parametrize("part", ["sealed", "wrapped_key"])
    def test_a_part_cut_off(self, part: str) -> None:
        entry = seal()
        for length in (0, 5, 12, 20):
            short: dict[str, Any] = {part: getattr(entry, part)[:length]}
            with pytest.raises(UnsealingError):
                unseal(replace(entry, **short))


class TestRotation:
    def test_a_rewrapped_entry_is_under_the_new_key_alone(self) -> None:
        entry = sealing.rewrap(seal(), ROTATED)
        assert entry.key_id == "k2"
        assert unseal(entry, key=RotatingKey("k2", {"k2": b"2" * 32})) == SECRET
        with pytest.raises(UnsealingError, match="not in the key ring"):
            unseal(entry)

    def test_an_old_entry_is_read_while_its_key_is_kept(self) -> None:
        assert unseal(seal(), key=ROTATED) == SECRET

    def test_an_altered_entry_is_not_rewrapped(self) -> None:
        with pytest.raises(UnsealingError):
            sealing.rewrap(replace(seal(), owner=uuid()), ROTATED)
