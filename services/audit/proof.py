"""
The proof that one record, with its fate, is part of the history that a checkpoint was signed of.

It is a small file: the record's bytes, the nodes from its leaf to the root, and the signed
checkpoint. With the public key alone anyone can check it, for ever.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from events.acceptance import PartitionState
from events.canonical import digest
from events.facts import Position
from events.records import Fate, HaltError, Record
from services.audit import tree
from services.audit.checkpoint import Checkpoint
from services.audit.history import AuditError, History
from services.audit.notes import NoteError, VerificationKey
from services.audit.verify import Advance, Keys, judge_entry

FORMAT: Final = "twofold-proof/1"


@dataclass(frozen=True, slots=True)
class Proof:
    """
    One record's.

    Attributes:
        position: Where it stands.
        record: With its exact bytes.
        fate: What became of it.
        path: From its leaf to the root, lowest first.
        note: The signed checkpoint.
    """

    position: Position
    record: Record
    fate: Fate
    path: Sequence[bytes]
    note: str

    def to_json(self) -> dict[str, Any]:
        """The file."""
        value = self.record.value
        return {
            "format": FORMAT,
            "position": str(self.position),
            "append_time_ms": self.record.append_time_ms,
            "fate": str(self.fate),
            "value": None if value is None else b64encode(value).decode(),
            "path": [one.hex() for one in self.path],
            "checkpoint": self.note,
        }

    @classmethod
    def load(cls, path: Path) -> "Proof":
        """
        Read a file.

        Raises:
            AuditError: It can't be read, or is no proof.
        """
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            stored = {FORMAT: stored}[stored["format"]]
            position, value = Position.parse(str(stored["position"])), stored["value"]
            return cls(
                position,
                Record(
                    position.offset,
                    int(stored["append_time_ms"]),
                    None if value is None else b64decode(value, validate=True),
                ),
                Fate(stored["fate"]),
                [bytes.fromhex(one) for one in stored["path"]],
                str(stored["checkpoint"]),
            )
        except OSError as error:
            raise AuditError(f"{path} can't be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise AuditError(f"{path} is no proof of a record.") from None

    def check(self, key: VerificationKey) -> Checkpoint:
        """
        See that it holds.

        Returns:
            The checkpoint that it leads to.

        Raises:
            AuditError: It doesn't.
        """
        try:
            signed = Checkpoint.open(self.note, key)
        except NoteError as error:
            raise AuditError(f"The proof doesn't hold: {error}") from error
        place = (signed.generation, signed.partition)
        if place != (self.position.generation, self.position.partition):
            raise AuditError("The proof doesn't hold: its checkpoint is of another partition.")
        leaf = tree.leaf(
            self.record.offset,
            self.record.append_time_ms,
            digest(self.record.value or b""),
            self.fate,
        )
        if tree.climb(leaf, self.record.offset, signed.next_offset, self.path) != signed.root:
            raise AuditError(
                "The proof doesn't hold: its record isn't part of what the checkpoint covers."
            )
        return signed


def prove(
    history: History,
    keys: Keys,
    position: Position,
    notes: Sequence[str],
    key: VerificationKey,
    advance: Advance = lambda _: None,
) -> Proof:
    """
    Make the proof of the record at *position*, by the newest checkpoint that covers it.

    Args:
        history: Read up to that checkpoint.
        keys: For MACs.
        position: Of the record.
        notes: Signed checkpoints.
        key: Whose are believed.
        advance: Told of progress.

    Raises:
        AuditError: No checkpoint covers it, or history isn't what was signed any more.
        LogUnavailableError: The broker went away.
    """
    note, signed = _covering(notes, key, position)
    state, leaves, found = PartitionState(position.partition), list[bytes](), None
    for _, entries in history.read({position.partition}):
        for entry in entries[: signed.next_offset - len(leaves)]:
            try:
                judged = judge_entry(state, entry, keys)
            except HaltError as error:
                raise AuditError(f"History can't be read up to the checkpoint: {error}") from error
            record = judged.record
            leaves.append(
                tree.leaf(record.offset, record.append_time_ms, judged.digest, judged.fate)
            )
            if record.offset == position.offset:
                found = record, judged.fate
        advance(len(entries))
        if len(leaves) == signed.next_offset:
            break
    if found is None or tree.root_of(leaves) != signed.root:
        raise AuditError(
            f"Partition {position.partition} isn't what was signed as its first"
            f" {signed.next_offset} records any more; see: twofold audit verify"
        )
    return Proof(position, *found, tree.path(leaves, position.offset), note)


def _covering(
    notes: Sequence[str], key: VerificationKey, position: Position
) -> tuple[str, Checkpoint]:
    found: list[tuple[str, Checkpoint]] = []
    for note in notes:
        try:
            one = Checkpoint.open(note, key)
        except NoteError:
            continue
        place = (one.generation, one.partition)
        covers = one.next_offset > position.offset
        if place == (position.generation, position.partition) and covers:
            found.append((note, one))
    if not found:
        raise AuditError(
            f"No checkpoint covers {position} yet; sign one with: twofold audit checkpoint"
        )
    return max(found, key=lambda one: one[1].next_offset)
