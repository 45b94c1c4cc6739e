"""Entries of the vault that a person's state named and names no more: to be forgotten at once."""

from collections.abc import Iterable

from events.credentials import Enrolled
from events.person import Person
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import TEXT, Row, Table


def named_by(person: Person | None) -> set[str]:
    """The entries that a person's state needs."""
    if person is None or person.forgotten:
        return set()
    named = {person.data_key}
    if person.password:
        named.add(person.password.credential)
    if isinstance(person.second_factor, Enrolled):
        named.add(person.second_factor.authenticator)
    return named


def fold(step: Step) -> Iterable[Row]:
    """A row for each entry that the event made superfluous."""
    if step.was is None or step.was is step.person:
        return
    for entry_id in sorted(named_by(step.was) - named_by(step.person)):
        position = step.counted.position
        yield entry_id, step.was.staff_id, position.partition, position.offset


PROJECTION = Projection(
    Table(
        "retired_entry",
        {
            "entry_id": TEXT,
            "staff_id": TEXT,
            "partition": "int NOT NULL",
            "offset": "bigint NOT NULL",
        },
        key=("entry_id",),
    ),
    fold,
)
