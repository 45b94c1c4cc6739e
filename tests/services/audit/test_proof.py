"""One record, proved alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from events.facts import Position
from events.records import Fate
from services.audit.history import AuditError
from services.audit.proof import Proof, prove
from tests.events.records import GENERATION, KEYS, uuid
from tests.services.audit.histories import Auditor, Author, Held, written

pytestmark = pytest.mark.row(51)


@pytest.fixture
def author() -> Author:
    return written(more=5)


@pytest.fixture
def auditor(author: Author) -> Auditor:
    auditor = Auditor()
    for size in (9, 10, 4):
        auditor.sign(author.history.with_records(author.partition.records[:size]))
    return auditor


def proof(author: Author, auditor: Auditor, offset: int) -> Proof:
    position = Position(GENERATION, 0, offset)
    return prove(author.history, KEYS, position, auditor.notes, auditor.key)


@pytest.mark.parametrize("offset", range(10))
def test_each_record_that_is_covered(
    author: Author, auditor: Auditor, offset: int, tmp_path: Path
) -> None:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof(author, auditor, offset).to_json()))
    found = Proof.load(path)
    assert found.check(auditor.key).next_offset == 10
    assert found.record == author.partition.records[offset]
    assert found.fate is Fate.COUNTED


def test_one_that_no_checkpoint_covers(author: Author, auditor: Auditor) -> None:
    with pytest.raises(AuditError, match="No checkpoint covers"):
        proof(author, auditor, 10)
    for elsewhere in (Position(GENERATION, 1, 3), Position(uuid(), 0, 3)):
        with pytest.raises(AuditError, match="No checkpoint covers"):
            prove(author.history, KEYS, elsewhere, auditor.notes, auditor.key)


def test_notes_of_others_cover_nothing(author: Author, auditor: Auditor) -> None:
    thief = Auditor()
    thief.sign(author.history)
    notes = ["no note", *thief.notes, *auditor.notes]
    found = prove(author.history, KEYS, Position(GENERATION, 0, 3), notes, auditor.key)
    assert found.check(auditor.key).next_offset == 10


def test_one_without_a_value(author: Author, tmp_path: Path) -> None:
    """A tombstone: it is malformed, and part of the history as everything is."""
    author.partition.put(None, 20)
    auditor, last = Auditor(), len(author.partition.records) - 1
    auditor.sign(author.history)
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof(author, auditor, last).to_json()))
    found = Proof.load(path)
    found.check(auditor.key)
    assert (found.record.value, found.fate) == (None, Fate.MALFORMED)


def test_nothing_is_proved_of_a_history_that_was_changed(author: Author, auditor: Auditor) -> None:
    records = author.partition.records
    changed = author.history.with_records([*records[:8], replace(records[8], value=b"x")])
    with pytest.raises(AuditError, match="isn't what was signed"):
        prove(changed, KEYS, Position(GENERATION, 0, 3), auditor.notes, auditor.key)
    hole = Held([*records[:5], *records[6:]])
    with pytest.raises(AuditError, match="can't be read up to the checkpoint"):
        prove(hole, KEYS, Position(GENERATION, 0, 3), auditor.notes, auditor.key)


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
        {"path": 7},
        {"position": 3},
        {"append_time_ms": float("inf")},
    ],
)
def test_a_proof_that_was_altered(
    author: Author, auditor: Auditor, change: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof(author, auditor, 3).to_json() | change))
    with pytest.raises(AuditError):
        Proof.load(path).check(auditor.key)


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 200_000])
def test_what_is_no_proof(text: str, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_text(text)
    with pytest.raises(AuditError, match="is no proof"):
        Proof.load(path)
    with pytest.raises(AuditError, match="can't be read"):
        Proof.load(tmp_path / "other.json")


def test_a_proof_by_another_key(author: Author, auditor: Auditor) -> None:
    with pytest.raises(AuditError, match="isn't signed by this key"):
        proof(author, auditor, 3).check(Auditor().key)
