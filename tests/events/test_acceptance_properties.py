"""The rule against a slow, obvious second writing of it, over logs that many writers made."""

import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from aiokafka.partitioner import murmur2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import envelope, marks, streams
from events.acceptance import PartitionState, judge
from events.facts import Draft
from events.log.proposal import Proposal, Signer
from events.moments import from_milliseconds, to_milliseconds
from events.organisation import OrganisationRegistered
from events.records import Fate, Record
from tests.events.records import KEY_ID, KEYS, START, altered, genesis, sealed

PARTITIONS = 3
OWN, FOREIGN = 0, 1
SIGNERS = [Signer("twofold/tests", name, KEYS[name], PARTITIONS) for name in (KEY_ID, "k2")]


def _streams_in(partition: int, count: int) -> list[str]:
    found: list[str] = []
    number = 0
    while len(found) < count:
        number += 1
        stream = streams.organisation(f"00000000-0000-4000-8000-{number:012x}")
        if streams.partition_of(stream, PARTITIONS) == partition:
            found.append(stream)
    return found


STREAMS, OTHERS = _streams_in(OWN, 4), _streams_in(FOREIGN, 2)


# ---- The rule a second time, by looking at the whole log again for each record -------------------


def slow_fate(log: Sequence[Record], index: int) -> Fate:
    """The fate of record *index*, from its prefix alone, word for word as the design has it."""
    record, value = log[index], log[index].value or b""
    if index == 0:
        return Fate.COUNTED
    try:
        envelope.read(value)
    except envelope.MalformedError:
        return Fate.MALFORMED
    told = json.loads(value)
    basis = dict(pair.rsplit("=", 1) for pair in told.get("basis", "").split())
    if any(_home(stream) != OWN for stream in [told["subject"], *basis]):
        return Fate.MALFORMED
    if _ms(told["deadline"]) > record.append_time_ms + 60_000:
        return Fate.MALFORMED
    key_id, _, code = told.pop("mac").partition(".")
    bare = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if int(key_id[1:]) < slow_oldest_key(log, index):
        return Fate.FORGED
    if key_id not in KEYS or hmac.new(KEYS[key_id], bare, sha256).hexdigest() != code:
        return Fate.FORGED
    if told["type"] == "twofold.tick.v1":
        return Fate.TICK
    if max(one.append_time_ms for one in log[: index + 1]) > _ms(told["deadline"]):
        return Fate.EXPIRED
    if told["type"] == "twofold.genesis.v1":
        return Fate.SUPERSEDED
    conditions = {told["subject"]: told.get("previous"), **basis}
    for stream, named in conditions.items():
        if slow_head(log, index, stream) != (None if named == "-" else named):
            return Fate.SUPERSEDED
    return Fate.COUNTED


def slow_head(log: Sequence[Record], index: int, stream: str) -> str | None:
    """The digest of the last record of *stream* before *index* that counted."""
    for earlier in reversed(range(index)):
        value = log[earlier].value or b""
        ours = f'"subject":"{stream}"'.encode() in value
        if ours and slow_fate(log, earlier) is Fate.COUNTED:
            return sha256(value).hexdigest()
    return None


def slow_oldest_key(log: Sequence[Record], index: int) -> int:
    """Of the last retirement before *index* that counted, the number of the key that made it."""
    for earlier in reversed(range(index)):
        value = log[earlier].value or b""
        if b"older_keys_retired" in value and slow_fate(log, earlier) is Fate.COUNTED:
            return int(json.loads(value)["mac"].partition(".")[0][1:])
    return 0


def _home(stream: str) -> int | None:
    if match := re.fullmatch(r"log/(\d+)", stream):
        return int(match[1])
    key = stream.split("/", maxsplit=1)[0]
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


def _ms(moment: str) -> int:
    return to_milliseconds(datetime.fromisoformat(moment))


# ---- Logs as several writers make them: stale, late, repeated, forged, in batches ----------------


@dataclass
class Writing:
    """A log while it is written; `stale` gives what a writer saw some records ago."""

    records: list[Record] = field(default_factory=list)
    heads: list[dict[str, str | None]] = field(default_factory=list)
    batches: list[range] = field(default_factory=list)
    state: PartitionState = field(default_factory=lambda: PartitionState(OWN))
    fates: list[Fate] = field(default_factory=list)

    def put(self, values: Sequence[bytes | None], at_ms: int) -> None:
        first = len(self.records)
        for value in values:
            record = Record(len(self.records), at_ms, value)
            self.fates.append(judge(self.state, record, KEYS).fate)
            self.records.append(record)
            self.heads.append(dict(self.state.heads))
        self.batches.append(range(first, len(self.records)))

    def stale(self, ago: int) -> dict[str, str | None]:
        return self.heads[max(0, len(self.heads) - 1 - ago)]


@st.composite
def logs(draw: st.DrawFn) -> Writing:
    writing = Writing()
    clock_ms = to_milliseconds(START)
    writing.put([genesis(OWN, PARTITIONS)], clock_ms)
    for number in range(draw(st.integers(1, 14))):
        clock_ms += draw(st.sampled_from([0, 1, 500, 4_000, 9_000, -3_000]))
        writing.put(draw(_values(writing, number, clock_ms)), clock_ms)
    return writing


def _values(writing: Writing, number: int, clock_ms: int) -> st.SearchStrategy[list[bytes | None]]:
    written = [record.value for record in writing.records]
    return st.one_of(
        _decisions(writing, number, clock_ms),
        _decisions(writing, number, clock_ms),
        _decisions(writing, number, clock_ms),
        st.sampled_from(written).map(lambda value: [value]),
        st.sampled_from(written[1:] or written).map(lambda value: [_forged(value)]),
        st.sampled_from([None, b"", b"{}", b'{"a":1}', b"\xff\xfe"]).map(lambda value: [value]),
        st.just([_tick(clock_ms)]),
        _retirements(writing, clock_ms),
        st.sampled_from(OTHERS).map(lambda stream: [sealed(stream, deadline=_ahead(clock_ms))]),
        st.sampled_from(OTHERS).map(
            lambda stream: [sealed(STREAMS[3], basis={stream: None}, deadline=_ahead(clock_ms))]
        ),
        st.sampled_from([59_999, 60_000, 60_001, -1]).map(
            lambda ms: [sealed(STREAMS[0], deadline=_ahead(clock_ms, ms))]
        ),
        st.just([genesis(OWN, PARTITIONS, id=f"genesis-{number}", deadline=_ahead(clock_ms))]),
    )


@st.composite
def _decisions(draw: st.DrawFn, writing: Writing, number: int, clock_ms: int) -> list[bytes | None]:
    """Events decided together, on what was seen some time ago."""
    decided_ms = clock_ms - draw(st.sampled_from([0, 0, 200, 9_999, 10_000, 10_001]))
    proposal = Proposal(
        drafts=[
            Draft(stream, OrganisationRegistered(name=f"{number}.{index}"))
            for index, stream in enumerate(
                draw(st.lists(st.sampled_from(STREAMS), min_size=1, max_size=3))
            )
        ],
        basis=draw(st.sets(st.sampled_from(STREAMS), max_size=2)),
        heads=writing.stale(draw(st.sampled_from([0, 0, 0, 1, 3]))),
        clock=START,
        event_id=f"event-{number}",
        actor="system",
        correlation_id="request-1",
        lapses=draw(st.sampled_from([None, None, _ahead(decided_ms, 1_000)])),
    )
    signer = draw(st.sampled_from(SIGNERS))
    return list(signer.batch(proposal, from_milliseconds(decided_ms)).values)


@st.composite
def _retirements(draw: st.DrawFn, writing: Writing, clock_ms: int) -> list[bytes | None]:
    log = streams.log(OWN)
    proposal = Proposal(
        drafts=[Draft(log, marks.OlderKeysRetired())],
        basis=(),
        heads=writing.stale(draw(st.sampled_from([0, 0, 3]))),
        clock=START,
        event_id=f"retirement-{len(writing.records)}",
        actor="system",
        correlation_id="request-1",
    )
    signer = draw(st.sampled_from(SIGNERS))
    return list(signer.batch(proposal, from_milliseconds(clock_ms)).values)


def _ahead(clock_ms: int, ms: int = 10_000) -> datetime:
    return from_milliseconds(clock_ms) + timedelta(milliseconds=ms)


def _tick(clock_ms: int) -> bytes:
    return sealed(streams.log(OWN), marks.Tick(), deadline=_ahead(clock_ms))


def _forged(value: bytes | None) -> bytes | None:
    try:
        return altered(value or b"", actor="anonymous")
    except ValueError:
        return value


MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class TestTheRule:
    @MANY
    @given(logs())
    def test_is_the_same_written_twice(self, log: Writing) -> None:
        assert log.fates == [slow_fate(log.records, index) for index in range(len(log.records))]

    @MANY
    @given(logs())
    def test_events_decided_together_count_together_or_not_at_all(self, log: Writing) -> None:
        for batch in log.batches:
            assert len({log.fates[index] is Fate.COUNTED for index in batch}) == 1

    @MANY
    @given(logs())
    def test_the_counted_records_of_a_stream_are_a_chain(self, log: Writing) -> None:
        heads: dict[str, str | None] = {}
        for record, fate in zip(log.records, log.fates, strict=True):
            if fate is Fate.COUNTED:
                value = record.value or b""
                told = json.loads(value)
                assert told.get("previous") == heads.get(told["subject"])
                heads[told["subject"]] = sha256(value).hexdigest()

    @MANY
    @given(logs())
    def test_two_readers_agree_on_every_record_and_digest(self, log: Writing) -> None:
        """A reader that began earlier, stopped and was loaded again comes to the same."""
        reader = PartitionState(OWN)
        for record, fate in zip(log.records, log.fates, strict=True):
            assert judge(reader, record, KEYS).fate is fate
            reader = PartitionState(
                OWN,
                partitions=reader.partitions,
                generation=reader.generation,
                next_offset=reader.next_offset,
                clock=reader.clock,
                heads=dict(reader.heads),
                oldest_key=reader.oldest_key,
                running=reader.running,
            )
        assert reader == log.state
