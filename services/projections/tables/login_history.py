"""Every attempt to log in that counted, for the person, administrators and auditors."""

from collections.abc import Iterable

from events.staff import LoginAttempted
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import MOMENT, TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """A line for each attempt on a person; strangers have no history."""
    fact, person, counted = step.counted.fact, step.person, step.counted
    if isinstance(fact, LoginAttempted) and person is not None:
        yield (
            person.staff_id,
            counted.position.offset,
            person.organisation_id,
            counted.position.partition,
            counted.position.generation,
            counted.at,
            fact.outcome,
            fact.source,
            fact.time_step is not None,
        )


PROJECTION = Projection(
    Table(
        "login_history",
        {
            "staff_id": TEXT,
            "offset": "bigint NOT NULL",
            "organisation_id": TEXT,
            "partition": "int NOT NULL",
            "generation": TEXT,
            "at": MOMENT,
            "outcome": TEXT,
            "source": TEXT,
            "two_factor": "bool NOT NULL",
        },
        key=("staff_id", "offset"),
        grows=True,
    ),
    fold,
)
