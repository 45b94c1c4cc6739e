"""The key ring's file as it changes: followed, and changed in whole steps."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from events import keyfile, keys
from events.keyfile import KeyFile, Purpose
from events.keys import KeyRingError, RotatingKey


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    keys.save(keys.generate(), path)
    return path


class TestFollowing:
    def test_a_new_key_is_known_and_then_current_in_the_same_ring(self, path: Path) -> None:
        file = KeyFile(path)
        ring, mac = file.ring, file.ring.mac.keys
        assert not file.refresh()
        assert keyfile.prepare(path, "mac") == "k2"
        assert file.refresh()
        assert (ring.mac.current, sorted(mac)) == ("k1", ["k1", "k2"])
        assert keyfile.activate(path, "mac") == "k2"
        assert file.refresh()
        assert ring.mac.current == "k2"
        assert ring.mac.key == mac["k2"]

    def test_an_unknown_id_is_looked_up_in_the_file_at_once(self, path: Path) -> None:
        """So that no record is ever forged only because a reader hasn't looked yet."""
        file = KeyFile(path)
        keyfile.prepare(path, "mac")
        assert file.ring.mac.keys.get("k2") == keys.load(path).mac.keys["k2"]
        assert file.changes == 1
        assert file.ring.mac.keys.get("k9") is None
        with pytest.raises(KeyError):
            file.ring.mac.keys["k9"]

    def test_a_ring_that_lost_a_mac_key_is_not_followed(self, path: Path) -> None:
        keyfile.prepare(path, "mac")
        file = KeyFile(path)
        stored = json.loads(path.read_text())
        del stored["mac"]["keys"]["k2"]
        path.write_text(json.dumps(stored))
        file.refresh()
        assert "lost the MAC key k2" in (file.complaint or "")
        assert "k2" in file.ring.mac.keys

    @pytest.mark.parametrize("spoilt", ["", "{}", "not json"])
    def test_nor_is_one_that_cannot_be_read(self, path: Path, spoilt: str) -> None:
        file = KeyFile(path)
        path.write_text(spoilt)
        file.refresh()
        assert file.complaint is not None
        assert file.ring.encryption.key

    def test_nor_is_another_installations(self, path: Path) -> None:
        file = KeyFile(path)
        path.unlink()
        keys.save(keys.generate(), path)
        file.refresh()
        assert "another installation" in (file.complaint or "")

    @pytest.mark.parametrize("purpose", ["mac", "encryption"])
    def test_nor_is_one_that_was_rotated_on_another_machine_too(
        self, path: Path, tmp_path: Path, purpose: Purpose
    ) -> None:
        """Both called theirs k2: what the one has made, the other can't verify or open."""
        there = tmp_path / "there.json"
        shutil.copy2(path, there)
        for one in (path, there):
            keyfile.prepare(one, purpose)
        file = KeyFile(path)
        live: RotatingKey = getattr(file.ring, purpose)
        known = dict(live.keys)
        keyfile.activate(there, purpose)
        there.rename(path)
        assert file.refresh()
        assert "by the name of k2 than the one in use" in (file.complaint or "")
        assert (live.current, dict(live.keys)) == ("k1", known)

    def test_a_dropped_encryption_key_is_gone(self, path: Path) -> None:
        file = KeyFile(path)
        keyfile.prepare(path, "encryption")
        keyfile.activate(path, "encryption")
        keyfile.drop(path, "k1")
        file.refresh()
        assert sorted(file.ring.encryption.keys) == ["k2"]


class TestChanging:
    def test_only_one_key_is_prepared_at_a_time(self, path: Path) -> None:
        keyfile.prepare(path, "encryption")
        with pytest.raises(KeyRingError, match="--activate"):
            keyfile.prepare(path, "encryption")

    def test_nothing_can_be_made_current_that_is_not_prepared(self, path: Path) -> None:
        with pytest.raises(KeyRingError, match="rotate --prepare"):
            keyfile.activate(path, "encryption")
        with pytest.raises(KeyRingError, match="rotate --mac --prepare"):
            keyfile.activate(path, "mac")

    def test_the_current_key_is_not_dropped(self, path: Path) -> None:
        with pytest.raises(KeyRingError, match="current"):
            keyfile.drop(path, "k1")
        with pytest.raises(KeyRingError, match="no key k7"):
            keyfile.drop(path, "k7")

    def test_the_file_stays_its_owners_alone_and_whole(self, path: Path) -> None:
        before = keys.load(path)
        keyfile.prepare(path, "encryption")
        assert path.stat().st_mode & 0o777 == 0o600
        after = keys.load(path)
        assert (after.root, after.signing, after.mac) == (before.root, before.signing, before.mac)
        assert sorted(one.name for one in path.parent.iterdir()) == ["keys.json", "keys.json.lock"]


class TestProduction:
    def test_takes_what_the_system_made_at_random(self, path: Path) -> None:
        keys.load(path).refuse_unsafe()

    def test_refuses_a_developers_ring_also_after_a_rotation(self, tmp_path: Path) -> None:
        path = tmp_path / "keys.json"
        keys.save(keys.generate(development=True), path)
        keyfile.prepare(path, "encryption")
        with pytest.raises(KeyRingError, match="twofold up"):
            keys.load(path).refuse_unsafe()

    def test_refuses_keys_that_are_not_random_or_stand_for_several(self, path: Path) -> None:
        ring = keys.load(path)
        for spoilt in (
            replace(ring, root=bytes(32)),
            replace(ring, mac=RotatingKey("k1", {"k1": ring.root})),
        ):
            with pytest.raises(KeyRingError, match="isn't random"):
                spoilt.refuse_unsafe()
