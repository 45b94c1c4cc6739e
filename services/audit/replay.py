"""
Replaying the history: every record with its fate, judged here and now from the log alone.

Nothing is believed of PostgreSQL: the acceptance rule runs again over what Kafka holds, so what is
shown is what any reader must come to.
"""

import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from confluent_kafka import KafkaException

from events import topics
from events.acceptance import Fate, HaltError, Judged, PartitionState, judge
from events.keys import KeyRing
from events.log.bulk import bounds, bulk_read
from events.log.clients import Connection, admin
from events.log.port import LogUnavailableError
from events.moments import from_milliseconds, write_moment
from events.staff import LoggedOut
from events.streams import organisation_of, subject_id
from events.username import UsernameClaimed, UsernameReleased

Advance = Callable[[int], None]
"""Told how many more records were read."""

_NAME: Final = re.compile(r"(?:twofold\.)?([a-z0-9_]+)(?:\.v[0-9]+)?")


class ReplayError(Exception):
    """The history can't be replayed to its end; the sentence says where it stopped."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which records to show.

    Attributes:
        organisation: An organisation's id: its streams, and usernames claimed for it.
        person: A staff id: events about the person.
        types: Wire names, with or without ``twofold.`` and version; empty: all.
        since: Append times from here on.
        until: Append times before this.
        all_fates: Records that didn't count, too.
    """

    organisation: str | None = None
    person: str | None = None
    types: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    all_fates: bool = False

    def __post_init__(self) -> None:
        for name in self.types:
            if not _NAME.fullmatch(name):
                raise ReplayError(f"{name[:80]!r} is no event type, such as login_attempted.")

    def takes(self, judged: Judged) -> bool:
        """Whether *judged* is to be shown."""
        at = from_milliseconds(judged.record.append_time_ms)
        return (
            (self.all_fates or judged.fate is Fate.COUNTED)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and (not self.types or self._is_of_type(judged))
            and (self.organisation is None or _organisation(judged) == self.organisation)
            and (self.person is None or self.person in _people(judged))
        )

    def _is_of_type(self, judged: Judged) -> bool:
        wanted = {match[1] for name in self.types if (match := _NAME.fullmatch(name))}
        found = _NAME.fullmatch(judged.envelope.type) if judged.envelope else None
        return found is not None and found[1] in wanted


@dataclass(frozen=True, slots=True)
class Span:
    """One partition's records, as far as they reached when the replay began."""

    partition: int
    start: int
    end: int


class Replay:
    """The history of one topic."""

    def __init__(
        self, kafka: Connection | str, ring: KeyRing, *, topic: str = topics.EVENTS.name
    ) -> None:
        """
        Find how far the log reaches.

        Args:
            kafka: Where.
            ring: Its MAC keys tell our records from forged ones.
            topic: The history.

        Raises:
            LogUnavailableError: The broker is away.
            ReplayError: There is no such topic.
        """
        self._kafka, self._keys, self._topic = kafka, ring.mac.keys, topic
        try:
            found = admin(kafka).list_topics(timeout=5).topics.get(topic)
        except KafkaException as error:
            raise LogUnavailableError(f"Kafka is away: {error.args[0].name()}.") from error
        if found is None or not found.partitions:
            raise ReplayError(f"There is no topic {topic}; make it with: twofold topics create")
        self.spans = [Span(p, *bounds(kafka, topic, p)) for p in sorted(found.partitions)]

    @property
    def length(self) -> int:
        """How many records there are."""
        return sum(span.end - span.start for span in self.spans)

    def run(
        self, wanted: Wanted, advance: Advance = lambda _: None
    ) -> Iterator[tuple[int, Judged]]:
        """
        Every record that is *wanted*, by append time over all partitions, with its partition.

        Raises:
            ReplayError: A partition can't be read on.
            LogUnavailableError: The broker went away.
        """
        # All of them, whatever is wanted: a claim on a username may stand in any partition.
        judged = [self._judged(span, advance) for span in self.spans]
        for _, partition, _, one in heapq.merge(*judged, key=lambda item: item[:3]):
            if wanted.takes(one):
                yield partition, one

    def _judged(self, span: Span, advance: Advance) -> Iterator[tuple[int, int, int, Judged]]:
        state = PartitionState(span.partition)
        latest = 0
        for records in bulk_read(self._kafka, self._topic, span.partition, span.start, span.end):
            for record in records:
                try:
                    judged = judge(state, record, self._keys)
                except HaltError as error:
                    raise ReplayError(f"The replay stops: {error}") from error
                latest = max(latest, record.append_time_ms)
                yield latest, span.partition, record.offset, judged
            advance(len(records))


def line(partition: int, judged: Judged) -> dict[str, Any]:
    """A record as a JSON line. Of one that is malformed, nothing is told but its digest."""
    counted, envelope = judged.counted, judged.envelope
    told: dict[str, Any] = {
        "partition": partition,
        "offset": judged.record.offset,
        "append_time": write_moment(from_milliseconds(judged.record.append_time_ms)),
        "fate": str(judged.fate),
        "digest": judged.digest,
    }
    if counted is not None:
        told["position"] = str(counted.position)
    if judged.complaint:
        told["complaint"] = judged.complaint
    if envelope is not None and judged.fate is not Fate.FORGED:
        told |= {
            "id": envelope.id,
            "type": envelope.type,
            "stream": envelope.subject,
            "actor": envelope.actor,
            "source": envelope.source,
            "deadline": write_moment(envelope.deadline),
            "correlation_id": envelope.correlation_id,
            "causation_id": envelope.causation_id,
            "previous": envelope.previous,
            "basis": dict(envelope.basis),
            "data": dict(envelope.data),
        }
    return told


def _organisation(judged: Judged) -> str | None:
    if judged.envelope is None:
        return None
    claim = _claim(judged)
    return claim.organisation_id if claim else organisation_of(judged.envelope.subject)


def _people(judged: Judged) -> set[str]:
    """Ids that the record's stream ends in, or that its fact names as whose it is."""
    if judged.envelope is None:
        return set()
    found = {subject_id(judged.envelope.subject)}
    claim = _claim(judged)
    if claim:
        found.add(claim.staff_id)
    if judged.envelope.type == LoggedOut.wire_name:
        found.add(str(judged.envelope.data.get("staff_id")))
    return found


def _claim(judged: Judged) -> UsernameClaimed | UsernameReleased | None:
    fact = judged.counted.fact if judged.counted else None
    return fact if isinstance(fact, UsernameClaimed | UsernameReleased) else None
