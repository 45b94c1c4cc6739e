"""One record, proved alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from events.facts import Position
from events.records import Fate
from services.audit.history import AuditError
from services.audit.proof import Proof, prove
from tests.events.records import GENERATION, KEYS
from tests.services.audit.histories import Auditor, Author, written

pytestmark = pytest.mark.row(51)


@pytest.fixture
def author() -> Author:
    return written(more=5)


@pytest.fixture
def auditor(author: Author) -> Auditor:
    auditor = Auditor()
    auditor.sign(author.history.with_records(author.partition.records[:4]))
    auditor.sign(author.history.with_records(author.partition.records[:9]))
    return auditor


def proof(author: Author, auditor: Auditor, offset: int) -> Proof:
    position = Position(GENERATION, 0, offset)
    return prove(author.history, KEYS, position, auditor.notes, auditor.key)


@pytest.mark.parametrize("offset", range(9))
def test_each_record_that_is_covered(
    author: Author, auditor: Auditor, offset: int, tmp_path: Path
) -> None:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof(author, auditor, offset).to_json()))
    found = Proof.load(path)
    assert found.check(auditor.key).next_offset == 9
    assert found.record == author.partition.records[offset]
    assert found.fate is Fate.COUNTED


def test_one_that_no_checkpoint_covers(author: Author, auditor: Auditor) -> None:
    with pytest.raises(AuditError, match="No checkpoint covers"):
        proof(author, auditor, 9)


def test_nothing_is_proved_of_a_history_that_was_changed(author: Author, auditor: Auditor) -> None:
    records = author.partition.records
    changed = author.history.with_records([*records[:8], replace(records[8], value=b"x")])
    with pytest.raises(AuditError, match="isn't what was signed"):
        prove(changed, KEYS, Position(GENERATION, 0, 3), auditor.notes, auditor.key)


@pytest.mark.parametrize(
    "change",
    [
        {"value": "e30="},
        {"fate": "superseded"},
        {"append_time_ms": 1},
        {"position": f"{GENERATION}:0:4"},
        {"position": f"{GENERATION}:1:3"},
        {"path": []},
        {"checkpoint": "none"},
        {"format": "other"},
        {"path": "no list"},
    ],
)
def test_a_proof_that_was_altered(
    author: Author, auditor: Auditor, change: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof(author, auditor, 3).to_json() | change))
    with pytest.raises(AuditError):
        Proof.load(path).check(auditor.key)


def test_a_proof_by_another_key(author: Author, auditor: Auditor) -> None:
    with pytest.raises(AuditError, match="isn't signed by this key"):
        proof(author, auditor, 3).check(Auditor().key)
