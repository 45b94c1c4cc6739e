"""The sealed state that browsers keep."""

from datetime import UTC, datetime, timedelta

import pytest

from events.vault.sealing import from_text
from services.web.pages.cookies import Seal

NOW = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
SEAL = Seal(b"k" * 32)


class TestSeal:
    def test_gives_back_what_was_sealed_for_the_same_purpose(self) -> None:
        sealed = SEAL.seal("login", {"username": "zoë"}, expires=NOW + timedelta(minutes=1))
        assert SEAL.open("login", sealed, NOW) == {"username": "zoë"}

    def test_opens_for_no_other_purpose_key_or_time(self) -> None:
        sealed = SEAL.seal("login", "x", expires=NOW)
        assert SEAL.open("change", sealed, NOW - timedelta(seconds=1)) is None
        assert Seal(b"l" * 32).open("login", sealed, NOW - timedelta(seconds=1)) is None
        assert SEAL.open("login", sealed, NOW) is None

    def test_its_time_can_not_be_put_off(self) -> None:
        sealed = SEAL.seal("login", "x", expires=NOW)
        later = SEAL.seal("login", "x", expires=NOW + timedelta(days=1))
        assert SEAL.open("login", later[:10] + sealed[10:], NOW) is None

    @pytest.mark.parametrize("garbage", ["", "x", "é", "AAAA", "A" * 43, "A" * 400])
    def test_garbage_is_nothing(self, garbage: str) -> None:
        assert SEAL.open("login", garbage, NOW) is None

    def test_padding_hides_the_length(self) -> None:
        lengths = {
            len(from_text(SEAL.seal("held", text, expires=NOW, pad_to=600)))
            for text in ("a" * 15, "𝒶" * 128)
        }
        assert len(lengths) == 1
