"""Organisations with their policies."""

from collections.abc import Iterable

from events.organisation import Organisation
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """The organisation's row, whenever its own stream moved."""
    if step.organisation is not None:
        organisation = step.organisation
        yield (
            organisation.organisation_id,
            organisation.name,
            step.counted.position.partition,
            organisation.model_dump_json(),
        )


PROJECTION = Projection(
    Table(
        "organisation_policy",
        {
            "organisation_id": TEXT,
            "name": TEXT,
            "partition": "int NOT NULL",
            "state": "jsonb NOT NULL",
        },
        key=("organisation_id",),
        indexes=("(name, organisation_id)",),
    ),
    fold,
    models=(Organisation,),
    views=(
        """
        CREATE VIEW organisation_summary AS
        SELECT organisation_id,
               count(*) FILTER (WHERE active) AS active,
               count(*) FILTER (WHERE active AND enrolled) AS with_two_factor,
               count(*) FILTER (WHERE active AND NOT enrolled) AS without_two_factor
          FROM staff_account GROUP BY organisation_id
        """,
    ),
)
