"""What becomes of records of the vault's topic, whoever wrote them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from events.keys import RotatingKey
from events.moments import to_milliseconds
from events.vault.sealing import SealedEntry, rewrap, seal
from events.vault.topic import Kept
from services.projections.vault_projector import LONGEST_TO_COME, fold
from tests.events.records import START, later, uuid

KEY = RotatingKey("k1", {"k1": b"1" * 32})
ROTATED = RotatingKey("k2", {"k1": b"1" * 32, "k2": b"2" * 32})


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
