"""Sessions, as the log tells them: opened by a login, proved again by a step-up, logged out of."""

from collections.abc import Iterable

from events.staff import LoggedOut
from services.projections.tables.projection import Projection
from services.projections.tables.step import SessionState, Step
from services.projections.tables.table import MOMENT, TEXT, Row, Table


def fold(step: Step) -> Iterable[Row]:
    """The row of the session that an event opened or changed."""
    if step.session is not None:
        session = step.session
        yield (
            session.id,
            session.token_digest,
            session.staff_id,
            session.credential_version,
            session.begun,
            session.ended,
            session.model_dump_json(),
        )


def fold_everywhere(step: Step) -> Iterable[Row]:
    """Logged out everywhere: what began before this offset is over."""
    fact, counted = step.counted.fact, step.counted
    if isinstance(fact, LoggedOut) and fact.everywhere:
        yield fact.staff_id, counted.position.offset, counted.at


PROJECTION = Projection(
    Table(
        "session",
        {
            "id": TEXT,
            "token_digest": TEXT,
            "staff_id": TEXT,
            "credential_version": "int NOT NULL",
            "begun": "bigint NOT NULL",
            "ended": "timestamptz",
            "state": "jsonb NOT NULL",
        },
        key=("id",),
        indexes=("(token_digest)", "(staff_id, credential_version, begun)"),
    ),
    fold,
    models=(SessionState,),
)

LOGGED_OUT_EVERYWHERE = Projection(
    Table(
        "logged_out_everywhere",
        {"staff_id": TEXT, "offset": "bigint NOT NULL", "at": MOMENT},
        key=("staff_id",),
    ),
    fold_everywhere,
)
