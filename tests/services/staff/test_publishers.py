"""Who may publish and ask, as the file says now."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events import keys
from events.command_wire import sign
from events.keys import KeyRingError
from services.staff.publishers import PublishersError, PublishersFile, read
from services.staff.registrations import OPERATOR, new_api_key, write_fresh

RING = keys.generate()
OPERATOR_KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a fresh file."""
    file = tmp_path / "publishers.toml"
    write_fresh(file, RING, OPERATOR_KEY.public_key())
    return file


def change(path: Path, text: str) -> None:
    path.write_text(text)
    # Two changes within a tick of the file system's clock must not look the same.
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000))


class TestAFreshFile:
    def test_has_the_staff_services_key_and_the_operators(self, path: Path) -> None:
        found = read(path).publishers
        assert found.keys() == {RING.signing_id, OPERATOR}
        assert found[RING.signing_id].rights.actors == {"staff", "api-key"}
        assert found[OPERATOR].rights.actors == {"service"}
        assert found[OPERATOR].rights.grants_support
        assert not found[RING.signing_id].rights.grants_support

    def test_holds_keys_that_verify(self, path: Path) -> None:
        _, (_, signature) = sign(b"value", OPERATOR, OPERATOR_KEY)
        operator = PublishersFile(path).find(OPERATOR)
        assert operator is not None
        assert operator.signed(b"value", signature)
        assert not operator.signed(b"other", signature)

    def test_is_its_owners_alone_and_never_overwritten(self, path: Path) -> None:
        assert path.stat().st_mode & 0o077 == 0
        with pytest.raises(KeyRingError):
            write_fresh(path, RING, OPERATOR_KEY.public_key())


class TestAChange:
    def test_revokes_without_a_restart(self, path: Path) -> None:
        file = PublishersFile(path)
        assert file.find(OPERATOR)
        change(path, path.read_text().split("[publishers.operator]")[0])
        assert file.find(OPERATOR) is None
        assert file.find(RING.signing_id)

    def test_that_can_not_be_read_leaves_nobody(self, path: Path) -> None:
        file = PublishersFile(path)
        change(path, "nonsense")
        assert file.find(OPERATOR) is None
        path.unlink()
        assert file.find(RING.signing_id) is None

    def test_brings_api_keys(self, path: Path) -> None:
        file = PublishersFile(path)
        token, lines = new_api_key("dashboard", ["read", "command:disable_two_factor"])
        assert file.api_key(token) is None
        change(path, path.read_text() + lines)
        api_key = file.api_key(token)
        assert api_key is not None
        assert api_key.id == "dashboard"
        assert api_key.rights.commands == {"disable_two_factor"}
        assert token not in path.read_text()
        assert file.api_key(token + "x") is None

    def test_gives_the_staff_service_an_api_keys_rights_and_nobody_else(self, path: Path) -> None:
        _, lines = new_api_key("dashboard", ["command:disable_two_factor"])
        change(path, path.read_text() + lines)
        file = PublishersFile(path)
        staff, operator = file.find(RING.signing_id), file.find(OPERATOR)
        assert staff is not None
        assert operator is not None
        assert file.rights(staff, "service/dashboard").key_id == "dashboard"
        assert file.rights(staff, "service/nobody") == staff.rights
        assert file.rights(operator, "service/dashboard") == operator.rights


PUBLISHER = """
[publishers.x]
public_key = "AA=="
service = "x"
commands = ["COMMAND"]
organisations = ["*"]
actors = ["service"]
"""
API_KEY = """
[api_keys.x]
hash = "plain"
scopes = ["read"]
organisations = ["*"]
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense\n", r"no TOML: .*line 1"),
        ('[publishers.x]\npublic_key = "AA=="\n', "doesn't fit at"),
        (PUBLISHER.replace("COMMAND", "*"), "public key"),
        (PUBLISHER.replace("COMMAND", "fly"), "commands that don't exist: fly"),
        (API_KEY, "doesn't fit"),
    ],
)
def test_says_in_a_sentence_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "publishers.toml"
    path.write_text(text)
    with pytest.raises(PublishersError, match=says):
        read(path)


def test_says_how_to_make_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PublishersError, match="twofold keys generate"):
        PublishersFile(tmp_path / "none.toml")
