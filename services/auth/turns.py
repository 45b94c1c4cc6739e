"""Turns at what only a few can do at once: hashing, judging passwords, issuing links."""

import asyncio
from types import TracebackType
from typing import Self

from services.auth.ports import BusyError
from services.shares import Party, Shares
from services.web.door import make_way


class Turns:
    """
    So many are under way at once; others wait, and are served party by party, in turn.

    Where more would wait than may, whoever has the most waiting loses what it asked for last. So a
    flood drives out itself, and anybody else waits for one turn of each party that waits.
    """

    def __init__(self, at_once: int, *, most_waiting: int) -> None:
        self._free, self._most = at_once, most_waiting
        self._waiting: Shares[asyncio.Future[None]] = Shares()

    def line_up(self, party: Party) -> "Turn":
        """
        Take a place in line; the turn is to be entered (``async with``).

        Raises:
            BusyError: This party has too many waiting.
        """
        place = asyncio.get_running_loop().create_future()
        if self._free:
            self._free -= 1
            place.set_result(None)
            return Turn(self, party, place)
        self._waiting.add(party, place)
        if len(self._waiting) > self._most:
            whose, places = self._waiting.heaviest()
            last = places[-1]
            self._waiting.discard(whose, last)
            if last is place:
                raise BusyError
            if not last.done():
                last.set_exception(BusyError())
        return Turn(self, party, place)

    def leave(self, party: Party, place: asyncio.Future[None]) -> None:
        """Give up a place, or the turn that it has become."""
        if self._waiting.discard(party, place) or place.cancelled():
            return
        if place.exception() is None:
            self.end()

    def end(self) -> None:
        """A turn is over: whose is the next?"""
        while self._waiting:
            place = self._waiting.next()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class Turn:
    """
    A place in line, and then a turn.

    Entering raises BusyError where the place was lost to others while it waited.
    """

    def __init__(self, turns: Turns, party: Party, place: asyncio.Future[None]) -> None:
        self._turns, self._party, self._place = turns, party, place

    async def __aenter__(self) -> Self:
        make_way()
        try:
            await self._place
        except asyncio.CancelledError:
            self._turns.leave(self._party, self._place)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._turns.end()
