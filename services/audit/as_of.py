"""A person's and an organisation's state as of a moment or a position, folded from the history."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from events import organisation, person, streams
from events.acceptance import Judged, PartitionState
from events.facts import Counted, Position
from events.moments import from_milliseconds, write_moment
from events.organisation import Organisation
from events.person import Person
from events.records import HaltError
from services.audit.history import AuditError, History
from services.audit.verify import Advance, Keys, judge_entry

OF_A_PERSON = frozenset({"account", "codes", "guesses", "links"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Whose state, and as of when. Either a person, a username, or an organisation is named.

    Attributes:
        staff_id: A person.
        username_digest: A person, by the username that they had then.
        organisation_id: An organisation; with a person: theirs, which saves reading the others.
        at: The last moment that is told of, by the broker's clock.
        position: The last record that is told of; the other partitions play no part.
    """

    staff_id: str | None = None
    username_digest: str | None = None
    organisation_id: str | None = None
    at: datetime | None = None
    position: Position | None = None

    @property
    def of_a_person(self) -> bool:
        """Whether a person is asked for."""
        return bool(self.staff_id or self.username_digest)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The last event of a stream that was counted by then: what the state rests on."""

    stream: str
    type: str
    position: Position
    at: datetime
    digest: str


@dataclass(slots=True)
class AsOf:
    """
    What held.

    Attributes:
        at: The moment asked for, or that of the position.
        position: The last record that was read in the partition.
        organisation: None where there was none yet.
        person: None where there was none yet, or none is asked for.
        mandatory: Whether 2FA was, then.
        evidence: By stream.
    """

    at: datetime
    position: Position
    organisation: Organisation | None
    person: Person | None
    mandatory: bool
    evidence: list[Evidence] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "at": write_moment(self.at),
            "position": str(self.position),
            "two_factor_mandatory": self.mandatory,
            "two_factor": ("on" if self.person.enrolled else "off") if self.person else None,
            "organisation": self.organisation and self.organisation.model_dump(mode="json"),
            "person": self.person and self.person.model_dump(mode="json"),
            "evidence": [
                {
                    "stream": one.stream,
                    "type": one.type,
                    "position": str(one.position),
                    "at": write_moment(one.at),
                    "digest": one.digest,
                }
                for one in self.evidence
            ],
        }


@dataclass(slots=True)
class _Partition:
    """One partition, folded as far as is asked for."""

    state: PartitionState
    people: dict[str, Person | None] = field(default_factory=dict)
    organisations: dict[str, Organisation | None] = field(default_factory=dict)
    last: dict[str, Evidence] = field(default_factory=dict)
    over: bool = False

    def fold(self, counted: Counted, *, about: Callable[[str], bool]) -> None:
        stream = counted.stream
        kind, subject = streams.kind(stream), streams.subject_id(stream)
        if kind == "organisation":
            key = streams.organisation_of(stream) or ""
            self.organisations[key] = organisation.evolve(self.organisations.get(key), counted)
        elif kind in OF_A_PERSON and about(subject):
            self.people[subject] = person.evolve(self.people.get(subject), counted)
        else:
            return
        self.last[stream] = Evidence(
            stream, counted.fact.wire_name, counted.position, counted.at, counted.digest
        )


def as_of(
    history: History,
    keys: Keys,
    wanted: Wanted,
    *,
    home: str = "",
    advance: Advance = lambda _: None,
) -> AsOf:
    """
    Fold the history up to what is *wanted*.

    Args:
        history: From its start.
        keys: For MACs.
        wanted: Whose state, and as of when.
        home: Support's organisation, where 2FA is always mandatory.
        advance: Told of progress.

    Raises:
        AuditError: There was no such person or organisation then, or history can't be read so far.
        LogUnavailableError: The broker went away.
    """
    found = {span.partition: _Partition(PartitionState(span.partition)) for span in history.spans}
    for partition, entries in history.read(_where(wanted, history)):
        one = found[partition]
        for entry in entries:
            if one.over or _is_behind(wanted, one.state, entry[0].append_time_ms):
                one.over = True
                break
            judged = _judged(one.state, entry, keys)
            if wanted.position and entry[0].offset == wanted.position.offset:
                one.over = True
            if judged.counted is not None:
                one.fold(judged.counted, about=lambda who: wanted.staff_id in {None, who})
        advance(len(entries))
    _check_position(wanted, found)
    for one in found.values():
        told = _told(wanted, one, home)
        if told is not None:
            return told
    who = "person" if wanted.of_a_person else "organisation"
    raise AuditError(f"There was no such {who} then.")


def _judged(state: PartitionState, entry: Any, keys: Keys) -> Judged:
    try:
        return judge_entry(state, entry, keys)
    except HaltError as error:
        raise AuditError(f"History can't be read so far: {error}") from error


def _where(wanted: Wanted, history: History) -> set[int] | None:
    if wanted.position is not None:
        return {wanted.position.partition}
    if wanted.organisation_id is not None:
        stream = streams.organisation(wanted.organisation_id)
        partition = streams.partition_of(stream, len(history.spans))
        if partition is None:
            raise AuditError(f"{wanted.organisation_id[:80]} is no organisation's id.")
        return {partition}
    return None


def _is_behind(wanted: Wanted, state: PartitionState, append_time_ms: int) -> bool:
    """Whether the next record comes after the moment; its time is monotone, like a fold's."""
    at = max(state.clock, from_milliseconds(append_time_ms))
    return wanted.at is not None and at > wanted.at


def _check_position(wanted: Wanted, found: dict[int, _Partition]) -> None:
    position = wanted.position
    if position is None:
        return
    one = found.get(position.partition)
    if one is None or (one.state.next_offset or 0) <= position.offset:
        raise AuditError(f"The history doesn't reach {position}.")
    if one.state.generation != position.generation:
        raise AuditError(f"{position} is of another generation than {one.state.generation}.")


def _told(wanted: Wanted, one: _Partition, home: str) -> AsOf | None:
    who: Person | None = None
    if wanted.of_a_person:
        who = next((each for each in one.people.values() if each and _is(wanted, each)), None)
        if who is None:
            return None
    organisation_id = who.organisation_id if who else wanted.organisation_id or ""
    where = one.organisations.get(organisation_id)
    if where is None and who is None:
        return None
    at = wanted.at or one.state.clock
    names = {streams.organisation(organisation_id)} | {
        f"{organisation_id}/{kind}/{who.staff_id}" for kind in OF_A_PERSON if who
    }
    return AsOf(
        at=at,
        position=Position(
            one.state.generation, one.state.partition, (one.state.next_offset or 0) - 1
        ),
        organisation=where,
        person=who,
        mandatory=organisation_id == home or bool(where and where.policy.mandatory_at(at)),
        evidence=sorted(
            (each for stream, each in one.last.items() if stream in names),
            key=lambda each: each.position.offset,
        ),
    )


def _is(wanted: Wanted, who: Person) -> bool:
    if wanted.organisation_id not in {None, who.organisation_id}:
        return False
    if wanted.staff_id is not None:
        return who.staff_id == wanted.staff_id
    return who.username_digest == wanted.username_digest and not who.forgotten
