"""Turns: bounded, fair, and given back whatever happens."""

import asyncio
from collections.abc import Callable

import pytest

from services.auth.ports import BusyError
from services.auth.turns import Turns
from services.shares import Party, known, stranger
from services.web.door import Door

FLOOD, ELSEWHERE = stranger("203.0.113.7"), stranger("198.51.100.1")


class Work:
    """Work that goes on until it is told to end, and remembers in which order it began."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.began: list[str] = []
        self.under_way = 0
        self.most = 0
        self._ends: list[asyncio.Event] = []

    def ask(self, name: str, party: Party) -> asyncio.Task[None]:
        return asyncio.create_task(self._do(name, party))

    async def end_one(self) -> None:
        self._ends.pop(0).set()
        await settled()

    async def end_all(self) -> None:
        while self._ends:
            await self.end_one()

    async def _do(self, name: str, party: Party) -> None:
        async with self._turns.line_up(party):
            self.began.append(name)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            end = asyncio.Event()
            self._ends.append(end)
            try:
                await end.wait()
            finally:
                self.under_way -= 1


async def settled() -> None:
    """Until everything that can go on has."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def work() -> Callable[..., Work]:
    return lambda at_once, most_waiting: Work(Turns(at_once, most_waiting=most_waiting))


async def test_so_many_at_once_and_the_rest_afterwards(work: Callable[..., Work]) -> None:
    done = work(2, 10)
    tasks = [done.ask(str(number), FLOOD) for number in range(5)]
    await settled()
    assert done.began == ["0", "1"]
    await done.end_all()
    await asyncio.gather(*tasks)
    assert (done.began, done.most) == (["0", "1", "2", "3", "4"], 2)


async def test_a_flood_waits_for_itself_and_others_for_one_of_it(
    work: Callable[..., Work],
) -> None:
    done = work(1, 100)
    tasks = [done.ask("flood", FLOOD) for _ in range(50)]
    await settled()
    tasks.append(done.ask("elsewhere", ELSEWHERE))
    await settled()
    await done.end_one()
    await done.end_one()
    assert done.began == ["flood", "flood", "elsewhere"]
    await done.end_all()
    await asyncio.gather(*tasks)


async def test_where_all_places_are_taken_the_flood_loses_its_last(
    work: Callable[..., Work],
) -> None:
    done = work(1, 3)
    flood = [done.ask(f"flood {number}", FLOOD) for number in range(5)]
    await settled()
    with pytest.raises(BusyError):
        await flood[4]
    others = [done.ask("one", ELSEWHERE), done.ask("two", known("staff", "device"))]
    await settled()
    for lost in flood[2:4]:
        with pytest.raises(BusyError):
            await lost
    await done.end_all()
    await asyncio.gather(*flood[:2], *others)
    assert sorted(done.began) == ["flood 0", "flood 1", "one", "two"]


async def test_one_of_equals_is_refused_who_came_last(work: Callable[..., Work]) -> None:
    done = work(1, 2)
    tasks = [done.ask(str(n), stranger(f"203.0.113.{n}")) for n in range(4)]
    await settled()
    with pytest.raises(BusyError):
        await tasks[3]
    await done.end_all()
    await asyncio.gather(*tasks[:3])


async def test_who_waits_for_a_turn_holds_up_nobody_at_the_door() -> None:
    turns, door, ends = Turns(1, most_waiting=9), Door(1), asyncio.Event()
    inside = []

    async def ask(name: str) -> None:
        async with door.through("203.0.113.7", asyncio.Event().wait):
            inside.append(name)
            if name != "cheap":
                async with turns.line_up(FLOOD):
                    await ends.wait()

    tasks = [asyncio.create_task(ask(name)) for name in ("runs", "waits", "cheap")]
    await settled()
    assert inside == ["runs", "waits", "cheap"]
    ends.set()
    await asyncio.gather(*tasks)


async def test_who_gives_up_gives_the_place_and_the_turn_on(work: Callable[..., Work]) -> None:
    done = work(1, 3)
    first, waiting, last = (done.ask(name, FLOOD) for name in ("first", "waiting", "last"))
    await settled()
    waiting.cancel()
    first.cancel()
    await settled()
    assert done.began == ["first", "last"]
    await done.end_all()
    await last


async def test_a_turn_that_was_given_to_somebody_leaving_goes_on_to_the_next(
    work: Callable[..., Work],
) -> None:
    done = work(1, 3)
    first, leaving, last = (done.ask(name, FLOOD) for name in ("first", "leaving", "last"))
    await settled()
    first.cancel()
    await asyncio.sleep(0)  # Its turn has just passed to the second, which hasn't woken yet.
    leaving.cancel()
    await settled()
    assert "last" in done.began
    await done.end_all()
    await last
    again = done.ask("again", ELSEWHERE)
    await settled()
    assert done.began[-1] == "again"
    await done.end_all()
    await again
