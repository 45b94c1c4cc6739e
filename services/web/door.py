"""
The door: so many requests of one address are worked on at once, and its others wait, in order.

One loop does all work of a process. Whoever keeps hundreds of connections busy would have it to
themselves, be what they ask for ever so cheap; so they wait for each other instead.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from services.shares import at

AT_ONCE: Final = 16
"""Requests of one address; a browser sends six at once, an office of hundreds seldom more."""

_LEAVE: Final[ContextVar[Callable[[], None] | None]] = ContextVar("leave", default=None)


def make_way() -> None:
    """Let the next of the same address in: what this request does now is to wait."""
    leave = _LEAVE.get()
    if leave is not None:
        leave()


@dataclass(slots=True)
class _Line:
    places: asyncio.Semaphore
    here: int = 0
    """How many wait or have a place."""


@dataclass(slots=True)
class Door:
    """Of one service."""

    at_once: int = AT_ONCE
    _lines: dict[str, _Line] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many addresses are remembered: those that have a request here."""
        return len(self._lines)

    @asynccontextmanager
    async def through(self, address: str) -> AsyncIterator[None]:
        """
        Be worked on; wait until others of the same address are done, or have made way.

        Args:
            address: The caller's; of IPv6, its /48 counts.
        """
        party = at(address)[0]
        line = self._lines.setdefault(party, _Line(asyncio.Semaphore(self.at_once)))
        line.here += 1
        try:
            await line.places.acquire()
        except asyncio.CancelledError:
            self._gone(party, line)
            raise
        inside, loop = True, asyncio.get_running_loop()

        def leave() -> None:
            nonlocal inside
            if inside:
                inside = False
                # Not before others had theirs: much is done without waiting even once.
                loop.call_soon(self._left, party, line)

        told = _LEAVE.set(leave)
        try:
            yield
        finally:
            _LEAVE.reset(told)
            leave()

    def _left(self, party: str, line: _Line) -> None:
        line.places.release()
        self._gone(party, line)

    def _gone(self, party: str, line: _Line) -> None:
        line.here -= 1
        if not line.here:
            del self._lines[party]
