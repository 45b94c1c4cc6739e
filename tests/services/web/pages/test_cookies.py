"""The sealed state that browsers keep."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import HTTPConnection

from events.vault.sealing import from_text
from services.web.pages.cookies import SESSION, Seal, cookies_of

NOW = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
SEAL = Seal(b"k" * 32)


def brought(*headers: bytes) -> dict[str, str]:
    scope = {"type": "http", "headers": [(b"cookie", one) for one in headers]}
    return dict(cookies_of(HTTPConnection(scope)))


class TestCookies:
    def test_are_read_as_browsers_send_them(self) -> None:
        assert brought(b"__Host-session=abc; other=d=e") == {SESSION: "abc", "other": "d=e"}
        assert brought(b"a=1", b"b=2") == {"a": "1", "b": "2"}

    @pytest.mark.parametrize("space", [b"\x85", b"\xa0", b"\x0b", b"\x0c", b"\x1c", b"\x1f"])
    def test_no_other_sites_is_taken_for_ours(self, space: bytes) -> None:
        """Browsers let a sibling domain set it: its name doesn't begin with the prefix."""
        for name in (space + b"__Host-session", b"__Host-session" + space):
            assert SESSION not in brought(name + b"=thief")
            assert brought(b"__Host-session=own; " + name + b"=thief")[SESSION] == "own"

    def test_what_stands_twice_is_nobodys(self) -> None:
        assert SESSION not in brought(b"__Host-session=own; __Host-session=thief")


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
