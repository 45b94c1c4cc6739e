"""
The acceptance rule: which records count. The only place where it is written.

Kafka has no conditional append, so every record carries its conditions, and every reader, today or
in ten years, judges them in log order and comes to the same fate: a fold over one partition, of the
value, the offset and the append time alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from events import catalogue, envelope, marks, streams
from events.canonical import digest
from events.envelope import Envelope, Head, MalformedError
from events.facts import Counted, Fact, Position
from events.moments import from_milliseconds, to_milliseconds
from events.records import (
    Fate,
    ForeignTimeError,
    GenesisError,
    HoleError,
    NewerWriterError,
    Record,
)

LONGEST_DEADLINE: Final = timedelta(seconds=60)
"""A deadline further than this past its append time is malformed."""


@dataclass(frozen=True, slots=True)
class Judged:
    """
    A record with its fate.

    Attributes:
        record: As read.
        fate: What became of it.
        digest: SHA-256 of its value.
        envelope: None where it is malformed.
        counted: What folds are given; None unless it counted.
        complaint: Why it is quarantined; empty otherwise.
    """

    record: Record
    fate: Fate
    digest: str
    envelope: Envelope | None = None
    counted: Counted | None = None
    complaint: str = ""


@dataclass(slots=True)
class PartitionState:
    """
    The fold's accumulator for one partition; `judge` moves it on.

    Attributes:
        partition: Kafka's.
        partitions: The frozen count; given for a topic without genesis records.
        generation: From the genesis; empty before it.
        next_offset: The only offset that may come next (in a forgetful topic, the lowest); None:
            any.
        clock: Monotone time: the highest append time over every record so far.
        heads: Heads by stream. A stream that is absent has none, so whoever keeps them elsewhere
            puts in those that a record names before it is judged.
        oldest_key: Number of the oldest MAC key that still counts (`events.key_id`).
        running: SHA-256 over (offset, append time, value's digest, fate) of every record so far.
        forgetful: The topic deletes old records (strangers): it has no genesis, and a stream's
            first remaining record is believed about what preceded it.
    """

    partition: int
    partitions: int = 0
    generation: str = ""
    next_offset: int | None = 0
    clock: datetime = field(default_factory=lambda: from_milliseconds(0))
    heads: dict[str, Head] = field(default_factory=dict)
    oldest_key: int = 0
    running: str = "0" * 64
    forgetful: bool = False


def judge(
    state: PartitionState,
    record: Record,
    keys: Mapping[str, bytes],
    *,
    authentic: bool | None = None,
) -> Judged:
    """
    Judge the next record, and move *state* past it.

    Args:
        state: Moved on in place; untouched when this raises.
        record: The next one in log order.
        keys: The writers' MAC keys by id, retired ones included: what they made before counts.
        authentic: What somebody who has the keys said of its MAC, for an auditor who hasn't and
            holds them to it by a signed checkpoint; None: the keys say.

    Raises:
        HaltError: One of its kinds; nothing after this record may be read.
    """
    _halt_unless_next(state, record)
    clock = max(state.clock, from_milliseconds(record.append_time_ms))
    if record.offset == 0 and not state.forgetful:
        verdict = _begin(state, record, keys, authentic)
    else:
        verdict = _verdict(state, record, clock, keys, authentic)
    judged = _judged(state, record, clock, verdict)
    if judged.counted is not None:
        if isinstance(judged.counted.fact, marks.Genesis):
            state.generation = judged.counted.fact.generation
            state.partitions = judged.counted.fact.partitions
        if isinstance(judged.counted.fact, marks.OlderKeysRetired) and judged.envelope:
            state.oldest_key = judged.envelope.key_number
        state.heads[judged.counted.stream] = judged.digest
    state.clock = clock
    state.next_offset = record.offset + 1
    state.running = run_on(state.running, record, judged.digest, judged.fate)
    return judged


def names(value: bytes | None) -> set[str]:
    """The streams whose heads judging *value* may ask for; none where it is malformed."""
    try:
        read = envelope.read(value or b"")
    except MalformedError:
        return set()
    return {read.subject, *read.basis}


def run_on(running: str, record: Record, value_digest: str, fate: Fate) -> str:
    """The running digest after one more record, 64 hexadecimal digits."""
    line = f"{running} {record.offset} {record.append_time_ms} {value_digest} {fate}"
    return sha256(line.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Verdict:
    fate: Fate
    envelope: Envelope | None = None
    fact: Fact | None = None
    complaint: str = ""


def _verdict(
    state: PartitionState,
    record: Record,
    clock: datetime,
    keys: Mapping[str, bytes],
    authentic: bool | None,
) -> _Verdict:
    """The rule for every record but the first, in its order."""
    try:
        read = envelope.read(record.value or b"")
        _check_place(state, read)
        _check_deadline(read, record)
    except MalformedError as error:
        return _Verdict(Fate.MALFORMED, complaint=str(error))
    if read.key_number < state.oldest_key:
        return _Verdict(Fate.FORGED, read, complaint="its key had been retired")
    if not _is_authentic(read, keys, authentic):
        return _Verdict(Fate.FORGED, read, complaint="no key of ours made its MAC")
    fact = _known_fact(state, record, read)
    if isinstance(fact, marks.Tick):
        return _Verdict(Fate.TICK, read)
    if clock > read.deadline:
        return _Verdict(Fate.EXPIRED, read)
    if isinstance(fact, marks.Genesis) or not _conditions_hold(state, read):
        return _Verdict(Fate.SUPERSEDED, read)
    return _Verdict(Fate.COUNTED, read, fact)


def _is_authentic(read: Envelope, keys: Mapping[str, bytes], said: bool | None) -> bool:
    return envelope.is_authentic(read, keys) if said is None else said


def _begin(
    state: PartitionState, record: Record, keys: Mapping[str, bytes], authentic: bool | None
) -> _Verdict:
    """Offset 0: the partition's genesis, which has nothing to race with; anything else halts."""
    place = f"Offset 0 of partition {state.partition}"
    try:
        read = envelope.read(record.value or b"")
    except MalformedError as error:
        raise GenesisError(f"{place} is no genesis: {error}.") from error
    if not _is_authentic(read, keys, authentic):
        raise GenesisError(f"{place} is no genesis of ours: no key of ours made its MAC.")
    fact = _known_fact(state, record, read)
    if not isinstance(fact, marks.Genesis):
        raise GenesisError(f"{place} is no genesis, but {read.type}.")
    own = read.subject == streams.log(state.partition) and state.partition < fact.partitions
    if not own or read.previous is not None or read.basis:
        raise GenesisError(f"{place} is a genesis that doesn't fit it.")
    return _Verdict(Fate.COUNTED, read, fact)


def _halt_unless_next(state: PartitionState, record: Record) -> None:
    due = state.next_offset
    forgotten = state.forgetful and due is not None and record.offset > due
    if due is not None and record.offset != due and not forgotten:
        raise HoleError(
            f"Partition {state.partition} goes on at offset {record.offset} where {due} is due."
        )
    if not record.broker_time:
        raise ForeignTimeError(
            f"Offset {record.offset} of partition {state.partition} has a client's time;"
            " the topic must be set to LogAppendTime."
        )


def _check_place(state: PartitionState, read: Envelope) -> None:
    for stream in (read.subject, *read.basis):
        # A record that was copied into the other topic, MAC and all, would be folded there too.
        if not streams.is_of(stream, forgetful=state.forgetful):
            raise MalformedError(f"{stream[:120]!r} is no stream of this topic")
        if streams.partition_of(stream, state.partitions) != state.partition:
            raise MalformedError(f"{stream[:120]!r} is no stream of this partition")


def _check_deadline(read: Envelope, record: Record) -> None:
    longest = LONGEST_DEADLINE // timedelta(milliseconds=1)
    if to_milliseconds(read.deadline) - record.append_time_ms > longest:
        raise MalformedError("its deadline is more than 60 s after its append time")


def _known_fact(state: PartitionState, record: Record, read: Envelope) -> Fact:
    try:
        return catalogue.read(read.type, read.data)
    except (catalogue.UnknownTypeError, catalogue.IllFittingDataError) as error:
        raise NewerWriterError(
            f"Offset {record.offset} of partition {state.partition} holds {error}, which this"
            " reader doesn't know: a newer writer is running; upgrade this reader."
        ) from error


def _conditions_hold(state: PartitionState, read: Envelope) -> bool:
    if state.forgetful and state.heads.get(read.subject) is None:
        return True
    return state.heads.get(read.subject) == read.previous and all(
        state.heads.get(stream) == head for stream, head in read.basis.items()
    )


def _judged(state: PartitionState, record: Record, clock: datetime, verdict: _Verdict) -> Judged:
    value_digest, read, fact = digest(record.value or b""), verdict.envelope, verdict.fact
    if read is None or fact is None:
        return Judged(record, verdict.fate, value_digest, read, complaint=verdict.complaint)
    generation = fact.generation if isinstance(fact, marks.Genesis) else state.generation
    counted = Counted(
        fact=fact,
        id=read.id,
        stream=read.subject,
        digest=value_digest,
        at=clock,
        position=Position(generation, state.partition, record.offset),
        actor=read.actor,
        correlation_id=read.correlation_id,
        causation_id=read.causation_id,
    )
    return Judged(record, verdict.fate, value_digest, read, counted)
