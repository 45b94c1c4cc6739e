"""What became of each command: the first counted record of its stream, for ever."""

from collections.abc import Iterable

from events import streams
from events.marks import CommandAccepted, CommandRejected
from services.projections.tables.projection import Projection
from services.projections.tables.step import Step
from services.projections.tables.table import MOMENT, TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """The outcome's row."""
    fact, counted = step.counted.fact, step.counted
    if streams.kind(counted.stream) != "command":
        return
    if isinstance(fact, CommandAccepted | CommandRejected):
        organisation_id, _, publisher, command_id = counted.stream.split("/")
        rejected = isinstance(fact, CommandRejected)
        yield (
            organisation_id,
            publisher,
            command_id,
            fact.name,
            fact.digest,
            "rejected" if rejected else "accepted",
            fact.reason if isinstance(fact, CommandRejected) else None,
            fact.detail if isinstance(fact, CommandRejected) else None,
            counted.position.generation,
            counted.position.partition,
            counted.position.offset,
            counted.at,
            counted.actor,
        )


PROJECTION = Projection(
    Table(
        "command_outcome",
        {
            "organisation_id": TEXT,
            "publisher": TEXT,
            "command_id": TEXT,
            "name": TEXT,
            "digest": TEXT,
            "outcome": TEXT,
            "reason": "text",
            "detail": "text",
            "generation": TEXT,
            "partition": "int NOT NULL",
            "offset": "bigint NOT NULL",
            "at": MOMENT,
            "actor": TEXT,
        },
        key=("organisation_id", "publisher", "command_id"),
        indexes=("(command_id)",),
        grows=True,
    ),
    fold,
)
