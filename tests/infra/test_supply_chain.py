"""What is installed is what is locked, and it is known what that is."""

import json
import re
from pathlib import Path

import pytest

from infra import supply_chain

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in ROOT.glob("requirements*.txt"))


@pytest.mark.row(59)
@pytest.mark.parametrize("name", FILES)
def test_every_requirement_has_its_hashes_and_names_no_registry(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|--index|--find-links|--trusted", text)
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", text).strip())
    assert entries
    for entry in entries:
        assert re.match(r"[\w.\[\]-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.row(59)
def test_what_runs_is_locked_as_it_is_tested() -> None:
    run = dict(supply_chain.locked_in(ROOT / "requirements.txt"))
    tested = dict(supply_chain.locked_in(ROOT / "requirements-dev.txt"))
    assert run.items() <= tested.items()


@pytest.mark.row(59)
@pytest.mark.thorough
def test_the_sbom_lists_what_is_locked_with_licences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert "all told" in supply_chain.sbom()
    bom = json.loads(supply_chain.SBOM.read_text())
    assert bom["bomFormat"] == "CycloneDX"
    names = {one["name"].lower() for one in bom["components"]}
    assert {"aiokafka", "asyncpg", "cryptography", "pyotp"} <= names
    assert "pytest" not in names


@pytest.mark.row(59)
def test_an_audit_without_answers_is_no_clean_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip-audit itself ends well where its service knows nothing of a package."""

    class Silent:
        stdout = json.dumps({"dependencies": [{"name": "x", "skip_reason": "not found"}]})

    monkeypatch.setattr("infra.supply_chain.subprocess.run", lambda *_, **__: Silent)
    with pytest.raises(supply_chain.SupplyChainError, match="weren't audited"):
        supply_chain.audit()
