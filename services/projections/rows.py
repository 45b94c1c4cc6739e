"""From rows to what the read port gives."""

import json
from datetime import datetime
from typing import Any, Protocol

from events import catalogue, envelope, streams
from events.facts import Counted, Position
from events.organisation import Organisation
from events.person import Person
from services.projections.port import (
    CommandRow,
    LoadedPerson,
    Place,
    ProjectionUnavailableError,
    Session,
)
from services.projections.tables import SessionState


class Found(Protocol):
    """A row, by its columns' names."""

    def __getitem__(self, name: str, /) -> Any: ...


def place(row: Found | None, prefix: str = "") -> Place:
    """How far the partition that a row is about was folded."""
    if row is None or row[prefix + "next_offset"] is None:
        raise ProjectionUnavailableError("Nothing is folded yet.")
    return Place(position(row, prefix), row[prefix + "clock"])


def position(row: Found | None, prefix: str = "") -> Position:
    """The last position that the partition of a row was folded to."""
    if row is None or row[prefix + "next_offset"] is None:
        raise ProjectionUnavailableError("Nothing is folded yet.")
    return Position(
        row[prefix + "generation"],
        row[prefix + "partition"],
        max(row[prefix + "next_offset"], 0) - 1,
    )


def heads(stored: str | None, *expected: str) -> dict[str, str | None]:
    """Heads as one JSON object; streams that are *expected* and have none are there with None."""
    found: dict[str, str | None] = json.loads(stored) if stored else {}
    return dict.fromkeys(expected) | found


def loaded_person(row: Found) -> LoadedPerson:
    """A person with organisation, heads and place."""
    person = Person.model_validate_json(row["person"])
    if row["organisation"] is None:
        raise ProjectionUnavailableError("A person's organisation isn't folded.")
    return LoadedPerson(
        person=person,
        organisation=Organisation.model_validate_json(row["organisation"]),
        heads=heads(row["heads"], *streams_of(person.organisation_id, person.staff_id)),
        place=place(row),
    )


def streams_of(organisation_id: str, staff_id: str) -> tuple[str, ...]:
    """The streams whose heads a person is loaded with."""
    return (
        streams.organisation(organisation_id),
        streams.account(organisation_id, staff_id),
        streams.codes(organisation_id, staff_id),
        streams.guesses(organisation_id, staff_id),
        streams.links(organisation_id, staff_id),
    )


def session(row: Found) -> Session:
    """A session; the end that logging out everywhere put to it is in the row."""
    state = SessionState.model_validate_json(row["session"])
    last_seen: datetime | None = row["last_seen"]
    return Session(
        id=state.id,
        staff_id=state.staff_id,
        organisation_id=state.organisation_id,
        role=state.role,
        started=state.started,
        two_factor=state.two_factor,
        credential_version=state.credential_version,
        verified=state.verified,
        ended=row["ended"],
        last_seen=max(last_seen or state.started, state.started),
    )


def command(row: Found) -> CommandRow:
    """A command's outcome."""
    return CommandRow(
        organisation_id=row["organisation_id"],
        publisher=row["publisher"],
        command_id=row["command_id"],
        name=row["name"],
        digest=row["digest"],
        outcome=row["outcome"],
        position=Position(row["generation"], row["partition"], row["offset"]),
        at=row["at"],
        actor=row["actor"],
        reason=row["reason"],
        detail=row["detail"],
    )


def counted(row: Found) -> Counted:
    """A recent record that counted, from its bytes."""
    read = envelope.read(bytes(row["value"]))
    return Counted(
        fact=catalogue.read(read.type, read.data),
        id=read.id,
        stream=read.subject,
        digest=row["digest"],
        at=row["at"],
        position=Position(row["generation"], row["partition"], row["offset"]),
        actor=read.actor,
        correlation_id=read.correlation_id,
        causation_id=read.causation_id,
    )


def from_history(row: Found) -> Counted:
    """An event of an account, from its history."""
    return Counted(
        fact=catalogue.read(row["type"], json.loads(row["data"])),
        id=row["event_id"],
        stream=row["stream"],
        digest=row["digest"],
        at=row["at"],
        position=Position(row["generation"], row["partition"], row["offset"]),
        actor=row["actor"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
    )
