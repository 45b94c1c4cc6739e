"""Facts as they are folded once they have counted; for tests of folds."""

from collections.abc import Callable
from typing import TypeVar

from events.facts import Counted, Fact, Position
from tests.events.records import GENERATION, later

S = TypeVar("S")


def counted(
    stream: str, fact: Fact, at: float = 0, *, actor: str = "system", event_id: str = "event-1"
) -> Counted:
    """*fact* as it counted in *stream*, *at* seconds after the start."""
    return Counted(
        fact=fact,
        id=event_id,
        stream=stream,
        digest="0" * 64,
        at=later(at),
        position=Position(GENERATION, 0, 1),
        actor=actor,
        correlation_id="request-1",
    )


def fold(evolve: Callable[[S, Counted], S], state: S, *events: Counted) -> S:
    """*state* after all of *events*."""
    for event in events:
        state = evolve(state, event)
    return state
