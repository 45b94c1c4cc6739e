"""Who holds each username, from the username's own stream."""

from collections.abc import Iterable

from events import streams
from events.username import Claim
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """The claim's row; without a person once the username is free again."""
    stream = step.counted.stream
    if streams.kind(stream) == "username":
        claim = step.claim
        yield (
            streams.subject_id(stream),
            claim.staff_id if claim else None,
            claim.model_dump_json() if claim else None,
        )


PROJECTION = Projection(
    Table(
        "username_claim",
        {"username_digest": TEXT, "staff_id": "text", "state": "jsonb"},
        key=("username_digest",),
    ),
    fold,
    models=(Claim,),
)
