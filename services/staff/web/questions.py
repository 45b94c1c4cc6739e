"""What all questions have in common."""

from typing import Annotated, Any

from fastapi import Path, Query

from events import streams
from events.facts import Position
from services.projections.port import Queries
from services.web.door import make_way
from services.web.problems import Problem

Id = Annotated[str, Path(pattern=rf"^{streams.UUID}$")]


def _position(description: str) -> Any:
    # The shape is told, and not checked, for what is no position is a 400.
    shape = {"pattern": "^[^:]*:[0-9]{1,9}:[0-9]{1,18}$"}
    return Query(max_length=100, description=description, json_schema_extra=shape)


AtLeast = Annotated[str | None, _position("generation:partition:offset; the answer includes it")]
Before = Annotated[str | None, _position("The position of an event; what stands before it is told")]


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
