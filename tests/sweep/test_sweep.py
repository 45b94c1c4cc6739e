"""The sweep itself: what it notes, where it looks, and what it must not take for a find."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweep import searching, sitecustomize
from tests.sweep.searching import Sweep
from tests.sweep.spelling import encoded

SECRET = b"Zaunkoenig-unter-der-Hecke-41"


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    """Give a sweep that isn't this run's own."""
    made = Sweep()
    made.notes.touch()
    yield made
    made.close()


@pytest.mark.parametrize("spelling", ["raw", "hexadecimal", "base64+1", "base32+3", "reversed"])
def test_a_secret_is_found_in_whatever_file_and_spelling(
    sweep: Sweep, tmp_path: Path, spelling: str
) -> None:
    sitecustomize.note("password", SECRET + spelling.encode(), str(sweep.notes))
    needle = encoded(SECRET + spelling.encode())[spelling]
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "0.log").write_bytes(b"\0\xff\n" + needle + b"\0")
    sweep.search(tmp_path)
    assert [what.partition(" (")[0] for what in sweep.found] == ["password"]
    assert all(what.endswith("in kafka/0.log") for what in sweep.found)


def test_a_hash_is_found_without_having_been_noted(sweep: Sweep, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("stored $argon2id$v=19$m=19456,t=2,p=1$abc")
    sweep.search(tmp_path)
    assert list(sweep.found) == ["hash (raw) in log"]


def test_a_mail_may_hold_its_link_and_no_password(sweep: Sweep, tmp_path: Path) -> None:
    sitecustomize.note("token", SECRET + b"/link", str(sweep.notes))
    sitecustomize.note("password", SECRET + b"/password", str(sweep.notes))
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1.eml").write_bytes(SECRET + b"/link")
    sweep.search(tmp_path)
    assert not sweep.found
    (tmp_path / "mail" / "2.eml").write_bytes(SECRET + b"/password")
    sweep.search(tmp_path)
    assert list(sweep.found) == ["password (raw) in mail/2.eml"]


def test_folders_of_keys_and_what_stands_anywhere_are_no_find(sweep: Sweep, tmp_path: Path) -> None:
    sitecustomize.note("server's key", SECRET, str(sweep.notes))
    sitecustomize.note("password", b"xxxxxxxxxxxxxxxxxxxx", str(sweep.notes))
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "keys.json").write_bytes(SECRET)
    (tmp_path / "log").write_bytes(b"x" * 40)
    sweep.search(tmp_path)
    assert not sweep.found


def test_every_process_of_a_run_notes_what_it_handles(tmp_path: Path) -> None:
    """The services' own code is as it is: Python loads what notes, where the environment asks."""
    notes = tmp_path / "notes"
    notes.touch()
    program = (
        "from events import keys; from services.auth.tickets import Tickets;"
        "print(Tickets(keys.generate()).session('a-session'))"
    )
    environment = {
        **os.environ,
        sitecustomize.NOTES: str(notes),
        "PYTHONPATH": str(Path(searching.__file__).parent),
    }
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    sweep = Sweep(folder=tmp_path)
    kinds = {secret: kind for kind, secret in sweep.secrets()}
    assert kinds[told.stdout.strip()] == "token"
    assert "server's key" in kinds.values()
