"""
The door: so many requests of one address are worked on at once, and its others wait, in order,
for as long as whoever sent them waits as well.

One loop does all work of a process. Whoever keeps hundreds of connections busy would have it to
themselves, be what they ask for ever so cheap; so they wait for each other instead.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from services.shares import at

AT_ONCE: Final = 16
"""Requests of one address; a browser sends six at once, an office of hundreds seldom more."""


class GoneError(Exception):
    """Whoever asked has hung up before their turn: nothing was done."""


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
    async def through(
        self, address: str, gone: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[None]:
        """
        Be worked on; wait until others of the same address are done, or have made way.

        Args:
            address: The caller's; of IPv6, its /48 counts.
            gone: Returns once the caller has hung up. Connections are counted, and requests left
                behind by those that are no more would pile up here beyond any count.

        Raises:
            GoneError: They have, before they came in.
        """
        party = at(address)[0]
        line = self._lines.setdefault(party, _Line(asyncio.Semaphore(self.at_once)))
        line.here += 1
        try:
            await _acquire(line.places, gone)
        except (asyncio.CancelledError, GoneError):
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


async def _acquire(places: asyncio.Semaphore, gone: Callable[[], Awaitable[object]]) -> None:
    if not places.locked():
        await places.acquire()
        return
    place, left = asyncio.create_task(places.acquire()), asyncio.ensure_future(gone())
    comes_in = False
    try:
        await asyncio.wait((place, left), return_when=asyncio.FIRST_COMPLETED)
        comes_in = not left.done()
    finally:
        left.cancel()
        if not comes_in and not place.cancel():  # It has a place by now.
            places.release()
    if not comes_in:
        raise GoneError
