"""What happened to each person's account, event by event, for their profile."""

import json
from collections.abc import Iterable

from events import streams
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import MOMENT, TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """A row for each event of an account."""
    counted = step.counted
    if streams.kind(counted.stream) == "account":
        yield (
            streams.subject_id(counted.stream),
            counted.position.offset,
            streams.organisation_of(counted.stream),
            counted.position.partition,
            counted.position.generation,
            counted.at,
            counted.id,
            counted.stream,
            counted.digest,
            counted.fact.wire_name,
            json.dumps(counted.fact.to_json()),
            counted.actor,
            counted.correlation_id,
            counted.causation_id,
        )


PROJECTION = Projection(
    Table(
        "account_history",
        {
            "staff_id": TEXT,
            "offset": "bigint NOT NULL",
            "organisation_id": TEXT,
            "partition": "int NOT NULL",
            "generation": TEXT,
            "at": MOMENT,
            "event_id": TEXT,
            "stream": TEXT,
            "digest": TEXT,
            "type": TEXT,
            "data": "jsonb NOT NULL",
            "actor": TEXT,
            "correlation_id": TEXT,
            "causation_id": "text",
        },
        key=("staff_id", "offset"),
        grows=True,
    ),
    fold,
)
