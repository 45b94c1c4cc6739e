"""
Commands that are under way: so many of one party at once; the next waits until one is decided.

All of an organisation's commands stand in one line with those of the organisations beside it. Who
sends faster than they are dealt with would have that line to themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from services.web.door import make_way
from services.web.problems import unavailable

MOST: Final = 50
"""Of one party: more than anybody clicks, and a third of a second's work."""

PATIENCE_S: Final = 5.0
"""How long a command waits for its place before it is refused."""

GIVEN_UP_AFTER_S: Final = 60.0
"""When a command's place is free though nothing became of it: it was set aside, or waits itself."""

_LOOK_EVERY_S: Final = 0.05
_LINES: Final = 1_000

Decided = Callable[[Collection[str]], Awaitable[Collection[str]]]
"""Those of some command ids of which something has become."""


@dataclass(slots=True)
class _Line:
    places: dict[str, float] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class UnderWay:
    """What this process has published and doesn't know decided."""

    def __init__(self, decided: Decided, *, most: int = MOST) -> None:
        self._decided, self._most = decided, most
        self._lines: dict[str, _Line] = {}

    async def enter(self, party: str, command_id: str) -> None:
        """
        Take a place for a command, or keep it; wait for one, in turn with others of the same party.

        Raises:
            Problem: 503: none came free.
        """
        if len(self._lines) > _LINES:
            self._tidy()
        line = self._lines.setdefault(party, _Line())
        if command_id in line.places:
            return
        if line.turn.locked() or len(line.places) >= self._most:
            make_way()
        try:
            async with asyncio.timeout(PATIENCE_S), line.turn:
                while len(line.places) >= self._most:
                    await self._look(line)
                line.places[command_id] = asyncio.get_running_loop().time()
        except TimeoutError:
            raise unavailable(
                "busy", "Too many of your commands are under way; please try again."
            ) from None

    def leave(self, party: str, command_id: str) -> None:
        """Give a place back: the command wasn't published."""
        if party in self._lines:
            self._lines[party].places.pop(command_id, None)

    async def _look(self, line: _Line) -> None:
        over = {*await self._decided(list(line.places)), *_given_up(line)}
        for command_id in over:
            line.places.pop(command_id, None)
        if not over:
            await asyncio.sleep(_LOOK_EVERY_S)

    def _tidy(self) -> None:
        self._lines = {
            party: line
            for party, line in self._lines.items()
            if line.turn.locked() or len(_given_up(line)) < len(line.places)
        }


def _given_up(line: _Line) -> list[str]:
    since = asyncio.get_running_loop().time() - GIVEN_UP_AFTER_S
    return [command_id for command_id, entered in line.places.items() if entered < since]
