"""
Replaying the history: every record with its fate, judged here and now from the log alone.

Nothing is believed of PostgreSQL: the acceptance rule runs again over what Kafka holds, so what is
shown is what any reader must come to.
"""

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from events import catalogue, topics
from events.acceptance import Judged, PartitionState, judge
from events.keys import KeyRing
from events.log.clients import Connection
from events.moments import from_milliseconds, write_moment
from events.records import Fate, HaltError
from events.staff import LoggedOut
from events.streams import organisation_of, subject_id
from events.username import UsernameClaimed, UsernameReleased
from services.audit.history import AuditError, Dump, History, KafkaHistory
from services.audit.verify import Advance

_NAME: Final = re.compile(r"(?:twofold\.)?([a-z0-9_]+)(?:\.v[0-9]+)?")
_NAMES: Final = {match[1] for name in catalogue.TYPES if (match := _NAME.fullmatch(name))}


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
            match = _NAME.fullmatch(name)
            if match is None or match[1] not in _NAMES:
                raise AuditError(f"{name[:80]!r} is no event type, such as login_attempted.")

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


class Replay:
    """The history of one topic."""

    def __init__(
        self, source: History | Connection | str, ring: KeyRing, *, topic: str = topics.EVENTS.name
    ) -> None:
        """
        Find how far the log reaches.

        Args:
            source: The history, or the brokers that hold it.
            ring: Its MAC keys tell our records from forged ones.
            topic: The history's, in Kafka.

        Raises:
            LogUnavailableError: The broker is away.
            AuditError: There is no such topic.
        """
        self._history: History = (
            KafkaHistory(source, topic=topic) if isinstance(source, Connection | str) else source
        )
        self._keys = ring.mac.keys

    @property
    def length(self) -> int:
        """How many records there are."""
        return sum(span.end - span.start for span in self._history.spans)

    def run(
        self, wanted: Wanted, advance: Advance = lambda _: None
    ) -> Iterator[tuple[int, Judged]]:
        """
        Every record that is *wanted*, by append time over all partitions, with its partition.

        Raises:
            AuditError: A partition can't be read on.
            LogUnavailableError: The broker went away.
        """
        # All of them, whatever is wanted: a claim on a username may stand in any partition.
        judged = [self._judged(span.partition, advance) for span in self._history.spans]
        for _, partition, _, one in heapq.merge(*judged, key=lambda item: item[:3]):
            if wanted.takes(one):
                yield partition, one

    def dump(self, path: Path, advance: Advance = lambda _: None) -> int:
        """
        Write every record's exact bytes to a file, with its fate, and the checkpoints.

        What comes after a record at which the rule halts is written without fates.

        Returns:
            How many records.

        Raises:
            AuditError: The file is there already, or can't be written.
            LogUnavailableError: The broker went away.
        """
        written, states = 0, dict[int, PartitionState | None]()
        with Dump(path, self._history) as file:
            for partition, entries in self._history.read():
                for record, _ in entries:
                    state = states.setdefault(partition, PartitionState(partition))
                    fate = None
                    try:
                        fate = judge(state, record, self._keys).fate if state else None
                    except HaltError:
                        states[partition] = None
                    file.add(partition, record, fate)
                written += len(entries)
                advance(len(entries))
        return written

    def _judged(self, partition: int, advance: Advance) -> Iterator[tuple[int, int, int, Judged]]:
        state = PartitionState(partition)
        latest = 0
        for _, entries in self._history.read({partition}):
            for record, _ in entries:
                try:
                    judged = judge(state, record, self._keys)
                except HaltError as error:
                    raise AuditError(f"The replay stops: {error}") from error
                latest = max(latest, record.append_time_ms)
                yield latest, partition, record.offset, judged
            advance(len(entries))


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
