"""The key ring's file: private, whole, and made once."""

import json
from pathlib import Path

import pytest

from events import keys
from events.keys import KeyRingError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "keys.json"
    keys.save(keys.generate(), path)
    return path


def rewrite(path: Path, **members: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | members))


class TestFile:
    def test_what_is_saved_is_loaded(self, tmp_path: Path) -> None:
        ring = keys.generate("k7")
        keys.save(ring, tmp_path / "keys.json")
        assert keys.load(tmp_path / "keys.json") == ring
        assert keys.load(tmp_path / "keys.json").mac.key == ring.mac.keys["k7"]

    def test_only_its_owner_can_read_it(self, path: Path) -> None:
        assert path.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
    def test_one_that_others_can_read_is_refused(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        with pytest.raises(KeyRingError, match="chmod 600"):
            keys.load(path)

    def test_one_that_is_there_is_never_overwritten(self, path: Path) -> None:
        before = path.read_bytes()
        with pytest.raises(KeyRingError, match="exists already"):
            keys.save(keys.generate(), path)
        assert path.read_bytes() == before

    def test_a_missing_one_says_how_to_make_it(self, tmp_path: Path) -> None:
        with pytest.raises(KeyRingError, match="twofold keys generate"):
            keys.load(tmp_path / "none.json")

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "\x00"])
    def test_what_is_no_key_ring_is_said(self, path: Path, text: str) -> None:
        path.write_text(text)
        with pytest.raises(KeyRingError, match="not a key ring"):
            keys.load(path)

    @pytest.mark.parametrize(
        "members",
        [
            {"root": "c2hvcnQ="}, {"root": "!"}, {"root": None}, {"mac": {"current": "k1"}},
            {"mac": {"current": "k2", "keys": {"k1": "A" * 43 + "="}}}, {"signing": "x"},
            {"encryption": {"current": "k1", "keys": {"k1": "A" * 40}}},
        ],
        ids=str,
    )  # fmt: skip
    def test_a_key_that_is_missing_or_short_is_said(
        self, path: Path, members: dict[str, object]
    ) -> None:
        rewrite(path, **members)
        with pytest.raises(KeyRingError):
            keys.load(path)

    def test_retired_keys_are_kept(self, path: Path) -> None:
        stored = json.loads(path.read_text())["mac"]
        stored["keys"]["k0"] = "A" * 43 + "="
        rewrite(path, mac=stored)
        ring = keys.load(path)
        assert (ring.mac.current, ring.mac.keys["k0"]) == ("k1", bytes(32))


class TestRing:
    def test_every_key_is_its_own(self) -> None:
        ring, other = keys.generate(), keys.generate()
        secrets = [
            secret
            for one in (ring, other)
            for secret in (one.encryption.key, one.mac.key, one.root, one.signing)
        ]
        assert len(set(secrets)) == 8

    def test_a_derived_key_is_for_one_purpose(self) -> None:
        ring = keys.generate()
        assert ring.derive("session") == ring.derive("session")
        assert len({ring.root, *[ring.derive(p) for p in ("session", "link", "pepper")]}) == 4

    def test_a_ring_shows_no_key(self) -> None:
        ring = keys.generate()
        assert str(ring.root) not in repr(ring)
        assert "keys=" not in repr(ring)
        assert "signing=" not in repr(ring)
