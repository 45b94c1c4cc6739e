"""What becomes of records of the vault's topic, whoever wrote them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from events.keys import RotatingKey
from events.moments import to_milliseconds
from events.vault.sealing import SealedEntry, rewrap, seal
from events.vault.topic import Kept
from services.projections import vault_projector
from services.projections.vault_projector import LONGEST_TO_COME
from tests.events.records import START, later, uuid

KEY = RotatingKey("k1", {"k1": b"1" * 32})
ROTATED = RotatingKey("k2", {"k1": b"1" * 32, "k2": b"2" * 32})
DROPPED = RotatingKey("k2", {"k2": b"2" * 32})


def fold(there: dict[str, bytes], kept: Kept, key: RotatingKey = ROTATED) -> str:
    return vault_projector.fold(there, kept, key)


def entry() -> SealedEntry:
    return seal(
        b"secret", entry_id=uuid(), kind="password", owner=uuid(), deadline=later(10), key=KEY
    )


def record(key: bytes | None, value: bytes | None) -> Kept:
    return Kept(0, to_milliseconds(START), key, value)


def of(one: SealedEntry) -> Kept:
    return record(one.id.encode(), one.to_bytes())


class TestFolding:
    def test_an_entry_is_put_wrapped_anew_and_forgotten(self) -> None:
        one, there = entry(), dict[str, bytes]()
        newer = rewrap(one, ROTATED)
        assert fold(there, of(one)) == "put"
        assert fold(there, of(newer)) == "rewrapped"
        assert there == {one.id: newer.to_bytes()}
        assert fold(there, record(one.id.encode(), None)) == "forgotten"
        assert not there

    def test_an_entry_never_changes(self) -> None:
        one = entry()
        there = {one.id: one.to_bytes()}
        assert fold(there, of(replace(one, sealed=entry().sealed))) == "refused"
        assert fold(there, of(replace(one, owner=uuid()))) == "refused"
        assert there == {one.id: one.to_bytes()}

    def test_a_wrapping_that_nobody_with_the_keys_made_is_none(self) -> None:
        one, other = rewrap(entry(), ROTATED), rewrap(entry(), ROTATED)
        first = entry()
        for key_id, wrapped_key in (
            ("k0", b"no key of ours"),
            ("k1", one.wrapped_key),
            ("k2", other.wrapped_key),
            ("k2", first.wrapped_key),
            ("k3", one.wrapped_key),
        ):
            there = {first.id: first.to_bytes()}
            lie = replace(first, key_id=key_id, wrapped_key=wrapped_key)
            assert fold(there, of(lie)) == "refused"
            assert there == {first.id: first.to_bytes()}

    def test_nor_is_an_older_one_that_somebody_repeats(self) -> None:
        """Else they could keep the old key in use, or have it dropped while it is needed."""
        one = entry()
        newer = rewrap(one, ROTATED)
        there = {one.id: newer.to_bytes()}
        assert fold(there, of(one)) == "refused"
        assert there == {one.id: newer.to_bytes()}

    def test_a_new_entry_opens_where_its_key_is_known(self) -> None:
        """A tombstone may come first; then what is put there in its place opens nothing."""
        one, other = entry(), entry()
        for lie in (
            replace(one, wrapped_key=other.wrapped_key), replace(one, sealed=other.sealed),
        ):  # fmt: skip
            there = dict[str, bytes]()
            assert fold(there, of(lie)) == "refused"
            assert not there

    def test_what_opens_takes_the_place_of_what_does_not(self) -> None:
        """As where made-up bytes under a key that nobody has are what compaction left."""
        one = entry()
        junk = replace(one, key_id="k9", sealed=b"made up")
        there = dict[str, bytes]()
        assert [fold(there, of(each)) for each in (junk, one, junk)] == ["put", "put", "refused"]
        assert there == {one.id: one.to_bytes()}

    def test_folded_afresh_without_the_old_keys_it_ends_alike(self) -> None:
        """Made-up ones among them, and the good value that the keeper appends again."""
        one = entry()
        newer = rewrap(one, ROTATED)
        junk = [
            replace(one, key_id="k0", wrapped_key=b"made up"),
            replace(one, key_id="k2", wrapped_key=b"made up"),
            replace(one, sealed=b"made up"),
        ]
        log = [one, *junk, one, junk[0], newer, one, *junk, newer]
        for key in (ROTATED, DROPPED):
            for start in range(len(log)):  # Compaction takes what comes before.
                there = dict[str, bytes]()
                for each in log[start:]:
                    fold(there, of(each), key)
                assert there == {one.id: newer.to_bytes()}, (key.keys.keys(), start)

    @pytest.mark.parametrize("key", [None, b"", b"\0", b"\0" * 36, b"\xff\xfe", b"k" * 200_000])
    @pytest.mark.parametrize("value", [None, b"{}", entry().to_bytes()])
    def test_a_key_that_can_be_no_entrys_is_refused(
        self, key: bytes | None, value: bytes | None
    ) -> None:
        there = dict[str, bytes]()
        assert fold(there, record(key, value)) == "refused"
        assert not there

    def test_an_entry_under_anothers_key_is_refused(self) -> None:
        there = dict[str, bytes]()
        assert fold(there, record(uuid().encode(), entry().to_bytes())) == "refused"
        assert not there

    def test_nobody_can_have_an_entry_kept_for_ever(self) -> None:
        there = dict[str, bytes]()
        for deadline, fate in (
            (START + LONGEST_TO_COME + timedelta(seconds=1), "refused"),
            (START + LONGEST_TO_COME, "put"),
        ):
            assert fold(there, of(replace(entry(), deadline=deadline))) == fate
