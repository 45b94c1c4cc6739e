"""
Verifying the history from its first record: the chain by the acceptance rule, and checkpoints.

Judging alone finds what can't be a history at all. That it is *the* history, and nothing was
altered, dropped, inserted or cut since, only an earlier checkpoint can tell.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from events import canonical
from events.acceptance import Judged, PartitionState, judge
from events.moments import write_moment
from events.records import Fate, HaltError
from services.audit.checkpoint import Checkpoint
from services.audit.history import AuditError, Entry, History
from services.audit.tree import Frontier, leaf

Advance = Callable[[int], None]
"""Told how many more records were read."""

Keys = Mapping[str, bytes] | None
"""The writers' MAC keys by id; None: an auditor has none, and takes the dump's word for MACs."""


def judge_entry(state: PartitionState, entry: Entry, keys: Keys) -> Judged:
    """
    Judge a record, with the keys or by what its source says of its MAC.

    Raises:
        HaltError: One of its kinds.
        AuditError: Neither keys nor anybody's word.
    """
    record, said = entry
    if keys is not None:
        return judge(state, record, keys)
    if said is None:
        raise AuditError("Without a key ring only a dump that tells fates can be judged.")
    return judge(state, record, {}, authentic=said is not Fate.FORGED)


@dataclass(slots=True)
class Verified:
    """
    What was found of one partition.

    Attributes:
        state: Behind its last record, with the heads.
        end: Where it is said to end.
        tree: Of all records.
        fates: How many records had each.
        wrong: What is wrong, a sentence each.
        matched: How many checkpoints the history agrees with.
        covered: All records before this offset are covered by a checkpoint that it agrees with.
    """

    state: PartitionState
    end: int
    tree: Frontier = field(default_factory=Frontier)
    fates: Counter[Fate] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    matched: int = 0
    covered: int = 0
    halted: bool = False
    due: deque[Checkpoint] = field(default_factory=deque)

    @property
    def partition(self) -> int:
        """Kafka's."""
        return self.state.partition

    @property
    def heads_digest(self) -> str:
        """SHA-256 over all heads, for comparing two readers."""
        return canonical.digest(canonical.dumps(self.state.heads))

    def checkpoint(self, name: str) -> Checkpoint:
        """A checkpoint of it, as it is now."""
        return Checkpoint(
            name=name,
            generation=self.state.generation,
            partition=self.partition,
            next_offset=self.tree.size,
            root=self.tree.root,
            clock=self.state.clock,
            running=self.state.running,
        )

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "partition": self.partition,
            "generation": self.state.generation,
            "records": self.tree.size,
            "fates": {str(fate): count for fate, count in sorted(self.fates.items())},
            "heads": len(self.state.heads),
            "heads_digest": self.heads_digest,
            "clock": write_moment(self.state.clock),
            "running": self.state.running,
            "root": self.tree.root.hex(),
            "checkpoints": self.matched,
            "covered": self.covered,
            "wrong": self.wrong,
        }


def verify(
    history: History,
    keys: Keys,
    checkpoints: Sequence[Checkpoint] = (),
    advance: Advance = lambda _: None,
) -> list[Verified]:
    """
    Read everything, and say of each partition what it is and what is wrong with it.

    Args:
        history: From its start.
        keys: For MACs.
        checkpoints: Signed earlier; what they cover must be as it was. Where there is any, there
            must be one of each partition.
        advance: Told of progress.

    Raises:
        LogUnavailableError: The broker went away.
        AuditError: The history can't be read.
    """
    due: dict[int, list[Checkpoint]] = defaultdict(list)
    for signed in sorted(checkpoints, key=lambda c: c.next_offset):
        due[signed.partition].append(signed)
    found = {
        span.partition: Verified(
            PartitionState(span.partition), span.end, due=deque(due.pop(span.partition, ()))
        )
        for span in history.spans
    }
    for partition, entries in history.read():
        if partition not in found:
            raise AuditError(f"Records of partition {partition} come, which there isn't.")
        one = found[partition]
        for entry in entries:
            if one.halted:
                break
            _take(one, entry, keys)
        advance(len(entries))
    for one in found.values():
        _end(one, len(found))
    _same_generation(found.values())
    lost = [
        f"There is no partition {partition}, of which {len(of_it)} checkpoint(s) were signed."
        for partition, of_it in sorted(due.items())
    ]
    verified = sorted(found.values(), key=lambda one: one.partition)
    if lost:
        verified[0].wrong += lost
    if checkpoints:
        _each_signed(verified, {signed.partition for signed in checkpoints})
    return verified


def complaints(found: Sequence[Verified]) -> Iterator[str]:
    """Everything that is wrong."""
    for one in found:
        yield from one.wrong


def _take(one: Verified, entry: Entry, keys: Keys) -> None:
    try:
        judged = judge_entry(one.state, entry, keys)
    except HaltError as error:
        one.halted = True
        one.wrong.append(str(error))
        return
    record = judged.record
    one.fates[judged.fate] += 1
    one.tree.append(leaf(record.offset, record.append_time_ms, judged.digest, judged.fate))
    while one.due and one.due[0].next_offset == one.tree.size:
        _compare(one, one.due.popleft())


def _compare(one: Verified, signed: Checkpoint) -> None:
    if signed == one.checkpoint(signed.name):
        one.matched += 1
        one.covered = signed.next_offset
        return
    if signed.generation != one.state.generation:
        one.wrong.append(
            f"Partition {one.partition} is of generation {one.state.generation}, where a"
            f" checkpoint was signed for {signed.generation}: the topic was made anew."
        )
        return
    where = f"from offset {one.covered} on" if one.covered else "somewhere"
    one.wrong.append(
        f"The first {signed.next_offset} records of partition {one.partition} aren't those that"
        f" were signed by {write_moment(signed.clock)}: history was changed {where}."
    )


def _end(one: Verified, partitions: int) -> None:
    state = one.state
    if not one.halted and one.tree.size < one.end:
        one.wrong.append(
            f"Partition {one.partition} should hold {one.end} records; {one.tree.size} came."
        )
    if one.due:
        most = one.due[-1].next_offset
        reached = "can be judged up to" if one.halted else "ends at"
        one.wrong.append(
            f"Partition {one.partition} {reached} {one.tree.size}, where {most} records had been"
            " signed: history was cut."
        )
    if state.generation and state.partitions != partitions:
        one.wrong.append(
            f"Partition {one.partition} says that there are {state.partitions} partitions; there"
            f" are {partitions}."
        )
    if not one.tree.size and not one.halted:
        one.wrong.append(f"Partition {one.partition} is empty: it hasn't even a genesis.")


def _each_signed(found: Iterable[Verified], signed: Collection[int]) -> None:
    """All are signed from the first run on: of which there's none, it was taken away."""
    for one in found:
        if one.partition not in signed:
            one.wrong.append(
                f"There is no checkpoint of partition {one.partition}, and there is of others: it"
                " was taken away, and the partition may have been rewritten. Give those that you"
                " kept by --checkpoints."
            )


def _same_generation(found: Iterable[Verified]) -> None:
    generations = {one.state.generation for one in found if one.state.generation}
    if len(generations) > 1:
        next(iter(found)).wrong.append(
            f"Its partitions are of {len(generations)} generations: {', '.join(generations)}."
        )
