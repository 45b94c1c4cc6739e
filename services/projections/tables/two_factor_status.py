"""Who has 2FA on, for services that ask for nothing else."""

from collections.abc import Iterable

from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import MOMENT, TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """A row whenever somebody's second factor, or their being active, changes."""
    person, was, counted = step.person, step.was, step.counted
    if person is None:
        return
    if was and (was.second_factor, was.active) == (person.second_factor, person.active):
        return
    yield (
        person.staff_id,
        person.organisation_id,
        "on" if person.enrolled else "off",
        getattr(person.second_factor, "method", None),
        getattr(person.second_factor, "cause", None),
        person.active,
        counted.at,
        str(counted.position),
    )


PROJECTION = Projection(
    Table(
        "two_factor_status",
        {
            "staff_id": TEXT,
            "organisation_id": TEXT,
            "two_factor": TEXT,
            "method": "text",
            "cause": "text",
            "active": "bool NOT NULL",
            "since": MOMENT,
            "position": TEXT,
        },
        key=("staff_id",),
        indexes=("(organisation_id)",),
    ),
    fold,
)
