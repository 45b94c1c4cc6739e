"""
The acceptance rule: which records count. The only place where it is written.

Kafka has no conditional append, so every record carries its conditions, and every reader, today or
in ten years, judges them in log order and comes to the same fate: a fold over one partition, of the
value, the offset and the append time alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from events import catalogue, envelope, marks, streams
from events.canonical import digest
from events.envelope import Envelope, Head, MalformedError
from events.facts import Counted, Fact, Position
from events.moments import from_milliseconds, to_milliseconds

LONGEST_DEADLINE: Final = timedelta(seconds=60)
"""A deadline further than this past its append time is malformed."""


class Fate(StrEnum):
    """What became of a record."""

    COUNTED = "counted"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    TICK = "tick"
    MALFORMED = "malformed"
    FORGED = "forged"


QUARANTINED: Final = frozenset({Fate.MALFORMED, Fate.FORGED})


class HaltError(Exception):
    """The partition can't be read on without folding a wrong state. Never raised itself."""


class HoleError(HaltError):
    """Offsets are not dense: a record was skipped by the broker or the client."""


class ForeignTimeError(HaltError):
    """An append time is not the broker's: the topic isn't set to LogAppendTime."""


class GenesisError(HaltError):
    """The partition doesn't begin with a genesis that fits it."""


class NewerWriterError(HaltError):
    """An authentic record of an unknown type or shape: a newer writer is running."""


@dataclass(frozen=True, slots=True)
class Record:
    """
    What a reader gets from the broker, and all that a fate depends on.

    Attributes:
        offset: Kafka's.
        append_time_ms: Milliseconds since the Unix epoch, by the broker's clock.
        value: Exact bytes; None for a tombstone, which the history has no use for.
        broker_time: Whether the time is the broker's (LogAppendTime), not a client's.
    """

    offset: int
    append_time_ms: int
    value: bytes | None
    broker_time: bool = True


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
        next_offset: The only offset that may come next; None: any (a topic that forgets its start).
        clock: Monotone time: the highest append time over every record so far.
        heads: Heads by stream. A stream that is absent has none, so whoever keeps them elsewhere
            puts in those that a record names before it is judged.
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
    running: str = "0" * 64
    forgetful: bool = False


def judge(state: PartitionState, record: Record, keys: Mapping[str, bytes]) -> Judged:
    """
    Judge the next record, and move *state* past it.

    Args:
        state: Moved on in place; untouched when this raises.
        record: The next one in log order.
        keys: The writers' MAC keys by id, retired ones included.

    Raises:
        HaltError: One of its kinds; nothing after this record may be read.
    """
    _halt_unless_next(state, record)
    clock = max(state.clock, from_milliseconds(record.append_time_ms))
    judged, fact = _fate(state, record, clock, keys)
    if judged.fate is Fate.COUNTED and judged.envelope is not None and fact is not None:
        if isinstance(fact, marks.Genesis):
            state.generation, state.partitions = fact.generation, fact.partitions
        position = Position(state.generation, state.partition, record.offset)
        judged = _counted(judged, judged.envelope, fact, clock, position)
        state.heads[judged.envelope.subject] = judged.digest  # type: ignore[union-attr]
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


def _halt_unless_next(state: PartitionState, record: Record) -> None:
    if state.next_offset is not None and record.offset != state.next_offset:
        raise HoleError(
            f"Partition {state.partition} goes on at offset {record.offset}"
            f" where {state.next_offset} is due."
        )
    if not record.broker_time:
        raise ForeignTimeError(
            f"Offset {record.offset} of partition {state.partition} has a client's time;"
            " the topic must be set to LogAppendTime."
        )


def _fate(
    state: PartitionState, record: Record, clock: datetime, keys: Mapping[str, bytes]
) -> tuple[Judged, Fact | None]:
    value = record.value or b""
    value_digest = digest(value)
    begins = record.offset == 0 and not state.forgetful
    try:
        read = envelope.read(value)
        _check_place(state, read, begins=begins)
        _check_deadline(read, record)
    except MalformedError as error:
        if begins:
            raise GenesisError(f"Offset 0 of partition {state.partition}: {error}.") from error
        return Judged(record, Fate.MALFORMED, value_digest, complaint=str(error)), None
    if not envelope.is_authentic(read, keys):
        if begins:
            raise GenesisError(f"The genesis of partition {state.partition} is not ours.")
        complaint = f"no key of ours made its MAC {read.mac.partition('.')[0]}"
        return Judged(record, Fate.FORGED, value_digest, read, complaint=complaint), None
    fact = _fact(state, record, read)
    if begins != isinstance(fact, marks.Genesis):
        raise GenesisError(
            f"Partition {state.partition} must begin with its genesis, and have no other."
        )
    if isinstance(fact, marks.Tick):
        fate = Fate.TICK
    elif clock > read.deadline:
        fate = Fate.EXPIRED
    elif not _conditions_hold(state, read):
        fate = Fate.SUPERSEDED
    else:
        fate = Fate.COUNTED
    if begins and (fate is not Fate.COUNTED or state.partition >= fact.partitions):  # type: ignore[attr-defined]
        raise GenesisError(f"The genesis of partition {state.partition} doesn't fit it.")
    return Judged(record, fate, value_digest, read), fact


def _check_place(state: PartitionState, read: Envelope, *, begins: bool) -> None:
    if begins:
        if read.subject != streams.log(state.partition):
            raise MalformedError("not the genesis of this partition")
        return
    for stream in (read.subject, *read.basis):
        if streams.partition_of(stream, state.partitions) != state.partition:
            raise MalformedError(f"{stream[:120]!r} is no stream of this partition")


def _check_deadline(read: Envelope, record: Record) -> None:
    longest = LONGEST_DEADLINE // timedelta(milliseconds=1)
    if to_milliseconds(read.deadline) - record.append_time_ms > longest:
        raise MalformedError("its deadline is more than 60 s after its append time")


def _fact(state: PartitionState, record: Record, read: Envelope) -> Fact:
    try:
        return catalogue.read(read.type, read.data)
    except (catalogue.UnknownTypeError, catalogue.IllFittingDataError) as error:
        raise NewerWriterError(
            f"Offset {record.offset} of partition {state.partition} holds {error}, which this"
            " reader doesn't know: a newer writer is running; upgrade this reader."
        ) from error


def _conditions_hold(state: PartitionState, read: Envelope) -> bool:
    if state.forgetful and read.subject not in state.heads:
        return True
    return state.heads.get(read.subject) == read.previous and all(
        state.heads.get(stream) == head for stream, head in read.basis.items()
    )


def _counted(
    judged: Judged, read: Envelope, fact: Fact, clock: datetime, position: Position
) -> Judged:
    counted = Counted(
        fact=fact,
        id=read.id,
        stream=read.subject,
        digest=judged.digest,
        at=clock,
        position=position,
        actor=read.actor,
        correlation_id=read.correlation_id,
        causation_id=read.causation_id,
    )
    return Judged(judged.record, judged.fate, judged.digest, read, counted)
