"""What all questions have in common."""

from typing import Annotated

from fastapi import Path, Query

from events import streams
from events.facts import Position
from services.projections.port import Queries
from services.web.door import make_way
from services.web.problems import Problem

Id = Annotated[str, Path(pattern=rf"^{streams.UUID}$")]
AtLeast = Annotated[
    str | None,
    Query(
        max_length=100,
        description="generation:partition:offset; the answer includes it",
        # Told, and not checked, for what is no position is a 400.
        json_schema_extra={"pattern": "^[^:]*:[0-9]{1,9}:[0-9]{1,18}$"},
    ),
]


Before = Annotated[
    str | None,
    Query(
        max_length=100,
        description="The position of an event; what stands before it is told",
        json_schema_extra={"pattern": "^[^:]*:[0-9]{1,9}:[0-9]{1,18}$"},
    ),
]


async def reached(at_least: str | None, queries: Queries) -> None:
    """
    Wait until the position that the caller asks for is folded.

    Raises:
        Problem: 400 where it is no position.
        NotYetError: It isn't in time.
    """
    position = position_of(at_least, "at_least")
    if position is None:
        return
    make_way()
    await queries.wait_for(position)


def position_of(given: str | None, name: str) -> Position | None:
    """
    The position that was given as *name*, if one was.

    Raises:
        Problem: 400 where it is none.
    """
    try:
        return None if given is None else Position.parse(given)
    except ValueError:
        raise Problem(400, "bad-request", f"{name} is no position.") from None
