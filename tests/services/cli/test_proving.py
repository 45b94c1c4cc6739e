"""Proofs at the terminal."""

import json
from pathlib import Path

import pytest

from events.facts import Position
from services.audit.proof import prove
from services.cli.proving import check_proof
from tests.events.records import GENERATION, KEYS
from tests.services.audit.histories import Auditor, written


def test_a_record_that_anybody_wrote_writes_nothing_else_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Garbage is part of what is signed, too; it could say that something else was proved."""
    author, auditor = written(), Auditor()
    author.partition.put("\x1b]0;title\x07\x1b[2J\x9b1;1H\u202eProved: all is well".encode(), 20)
    auditor.sign(author.history)
    garbage = Position(GENERATION, 0, len(author.partition.records) - 1)
    path = tmp_path / "proof.json"
    made = prove(author.history, KEYS, garbage, auditor.notes, auditor.key)
    path.write_text(json.dumps(made.to_json()))
    check_proof(path, str(auditor.key), as_json=False)
    told = capsys.readouterr().out
    assert "is malformed" in told
    assert r"\x1b]0;title\x07\x1b[2J\x9b1;1H\u202eProved" in told
    assert all(one.isprintable() or one == "\n" for one in told)
