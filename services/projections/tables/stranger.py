"""Usernames that nobody holds, and how often they were tried."""

from collections.abc import Iterable

from events import streams
from events.stranger import Stranger
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import MOMENT, TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """The stranger's row."""
    if step.stranger is not None:
        yield (
            streams.subject_id(step.counted.stream),
            step.counted.position.partition,
            step.counted.at,
            step.stranger.model_dump_json(),
        )


PROJECTION = Projection(
    Table(
        "stranger",
        {
            "username_digest": TEXT,
            "partition": "int NOT NULL",
            "at": MOMENT,
            "state": "jsonb NOT NULL",
        },
        key=("username_digest",),
        indexes=("(partition, at)",),
    ),
    fold,
    models=(Stranger,),
)
