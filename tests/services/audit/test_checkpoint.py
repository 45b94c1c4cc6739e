"""Checkpoints: what is signed, and what is believed to be one."""

from dataclasses import replace

import pytest

from events.moments import write_moment
from services.audit.checkpoint import Checkpoint, opened
from services.audit.notes import NoteError, sign
from tests.events.records import GENERATION, START
from tests.services.audit.histories import NAME, Auditor

CHECKPOINT = Checkpoint(
    name=NAME,
    generation=GENERATION,
    partition=3,
    next_offset=7,
    root=bytes(range(32)),
    clock=START,
    running="ab" * 32,
)


def test_what_is_signed_is_read() -> None:
    auditor = Auditor()
    assert Checkpoint.open(CHECKPOINT.sign(auditor.private), auditor.key) == CHECKPOINT


def test_scripts_are_told_all_of_it() -> None:
    assert CHECKPOINT.to_json() == {
        "name": NAME,
        "generation": GENERATION,
        "partition": 3,
        "next_offset": 7,
        "root": bytes(range(32)).hex(),
        "clock": "2026-11-24T09:00:00.000Z",
        "running": "ab" * 32,
    }


@pytest.mark.parametrize(
    "text",
    [
        f"{NAME}/{GENERATION}/3\n7\n",
        CHECKPOINT.text + "more\n",
        CHECKPOINT.text.replace(write_moment(START), "2026-02-30T09:00:00.000Z"),
    ],
    ids=["less", "more", "no such day"],
)
def test_what_the_key_signed_for_something_else_is_none(text: str) -> None:
    auditor = Auditor()
    with pytest.raises(NoteError, match="no checkpoint"):
        Checkpoint.open(sign(text, auditor.private), auditor.key)


def test_they_are_given_in_order_and_each_once() -> None:
    auditor = Auditor()
    ordered = [
        replace(CHECKPOINT, partition=partition, next_offset=size)
        for partition, size in ((0, 9), (0, 10), (1, 2))
    ]
    notes = [one.sign(auditor.private) for one in (*ordered[::-1], *ordered)]
    assert opened(notes, auditor.key) == (ordered, 0)
