"""People as the write side loads them: folded state, and the columns it is found by."""

from collections.abc import Iterable

from events.person import Person
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """The person's row, whenever one of their streams moved."""
    person = step.person
    if person is None or person is step.was:
        return
    link, factor = person.link, person.second_factor
    yield (
        person.staff_id,
        person.organisation_id,
        step.counted.position.partition,
        person.username_digest,
        person.role,
        person.active,
        person.forgotten,
        person.enrolled,
        person.credential_version,
        link.ticket_digest if link else None,
        None if person.forgotten else person.data_key,
        person.password.credential if person.password else None,
        getattr(factor, "authenticator", None),
        person.model_dump_json(),
    )


PROJECTION = Projection(
    Table(
        "staff_account",
        {
            "staff_id": TEXT,
            "organisation_id": TEXT,
            "partition": "int NOT NULL",
            "username_digest": TEXT,
            "role": TEXT,
            "active": "bool NOT NULL",
            "forgotten": "bool NOT NULL",
            "enrolled": "bool NOT NULL",
            "credential_version": "int NOT NULL",
            "ticket_digest": "text",
            "data_key": "text",
            "password": "text",
            "authenticator": "text",
            "state": "jsonb NOT NULL",
        },
        key=("staff_id",),
        indexes=("(username_digest)", "(organisation_id, staff_id)", "(ticket_digest)"),
    ),
    fold,
    version=3,
    models=(Person,),
)
