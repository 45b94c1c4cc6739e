"""Every try to log in that counted, and every code that was refused elsewhere, for who it is of."""

from collections.abc import Iterable

from events.staff import CodeChecked, LoginAttempted
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import MOMENT, TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """A line for each try on a person; strangers have no history."""
    fact, person, counted = step.counted.fact, step.person, step.counted
    if person is None:
        return
    match fact:
        case LoginAttempted():
            purpose = "step_up" if fact.reauthentication else "login"
        case CodeChecked() if fact.outcome != "accepted":
            purpose = fact.purpose
        case _:
            return
    yield (
        person.staff_id,
        counted.position.offset,
        person.organisation_id,
        counted.position.partition,
        counted.position.generation,
        counted.at,
        purpose,
        fact.outcome,
        fact.outcome == "succeeded",
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
            "purpose": TEXT,
            "outcome": TEXT,
            "logged_in": "bool NOT NULL",
            "source": TEXT,
            "two_factor": "bool NOT NULL",
        },
        key=("staff_id", "offset"),
        indexes=('(staff_id, logged_in, "offset")',),
        grows=True,
    ),
    fold,
)
