"""Keys of programs, made at the command line as the documentation says."""

from pathlib import Path

import pytest
import typer

from events.command_wire import sign
from services.cli.failures import FailureError
from services.cli.registering import api_key, publisher
from services.publisher import PublisherKey
from services.staff.publishers import PublishersFile
from services.up.keys import KeyFiles, generate

ORGANISATION = "71ad45ce-456d-41ff-b981-b99f837a25aa"


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give publishers.toml of a new installation, as the settings name it."""
    files = KeyFiles.under(tmp_path)
    generate(files)
    monkeypatch.setenv("TWOFOLD_PUBLISHERS", str(files.publishers))
    return files.publishers


def add(path: Path, lines: str) -> PublishersFile:
    with path.open("a") as file:
        file.write(lines)
    return PublishersFile(path)


def test_a_publishers_key_signs_for_the_section_that_was_printed(
    registered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher("billing", ["deactivate_staff"], [ORGANISATION], tmp_path / "billing.json")
    found = add(registered, capsys.readouterr().out).find("billing")
    assert found is not None
    assert found.rights.commands == {"deactivate_staff"}
    assert found.rights.actors == {"service"}
    assert found.rights.organisations == {ORGANISATION}
    assert not found.rights.grants_support
    key = PublisherKey.load(tmp_path / "billing.json")
    assert found.signed(b"value", sign(b"value", key.id, key.private())[1][1])


def test_an_api_key_is_told_apart_from_its_section(
    registered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api_key("dashboard", ["read", "command:forget_staff"])
    printed = capsys.readouterr()
    token = printed.err.split()[-1]
    assert token not in printed.out
    found = add(registered, printed.out).api_key(token)
    assert found is not None
    assert found.id == "dashboard"
    assert found.scopes == {"read", "command:forget_staff"}
    assert found.organisations == {"*"}


def test_a_name_that_is_taken_would_make_the_file_unreadable(registered: Path) -> None:
    with pytest.raises(FailureError, match="operator is registered"):
        publisher("operator", ["*"])
    with pytest.raises(FailureError, match="staff-service is registered"):
        api_key("staff-service", ["read"])


@pytest.mark.parametrize("name", ["Billing", "a.b", "", "x]\n[publishers.y"])
def test_a_name_that_is_none(registered: Path, name: str) -> None:
    with pytest.raises(typer.BadParameter, match="no name"):
        api_key(name, ["read"])


def test_what_there_is_no_right_for(registered: Path) -> None:
    with pytest.raises(typer.BadParameter, match="deactivate_staff"):
        publisher("billing", ["fly"])
    with pytest.raises(typer.BadParameter, match="read, audit"):
        api_key("dashboard", ["write"])
    with pytest.raises(typer.BadParameter, match="no id"):
        api_key("dashboard", ["read"], ["acme"])
