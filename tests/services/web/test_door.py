"""The door: an address's requests wait for each other, and for nobody else's."""

import asyncio

import pytest

from services.web.door import Door, GoneError, make_way

FLOOD, ELSEWHERE = "203.0.113.7", "198.51.100.1"


async def settled() -> None:
    """Until everything that can go on has."""
    for _ in range(20):
        await asyncio.sleep(0)


class Work:
    """Requests that are worked on until they are told to end."""

    def __init__(self, door: Door) -> None:
        self.door, self.ends = door, asyncio.Event()
        self.inside: list[str] = []

    def ask(
        self, address: str, *, makes_way: bool = False, gone: asyncio.Event | None = None
    ) -> asyncio.Task[None]:
        return asyncio.create_task(self._do(address, makes_way, gone or asyncio.Event()))

    async def _do(self, address: str, makes_way: bool, gone: asyncio.Event) -> None:
        async with self.door.through(address, gone.wait):
            self.inside.append(address)
            if makes_way:
                make_way()
            await self.ends.wait()


@pytest.fixture
def work() -> Work:
    return Work(Door(2))


async def test_so_many_of_an_address_at_once_and_anybody_else_beside_them(work: Work) -> None:
    tasks = [work.ask(FLOOD) for _ in range(5)]
    await settled()
    tasks.append(work.ask(ELSEWHERE))
    await settled()
    assert work.inside == [FLOOD, FLOOD, ELSEWHERE]
    work.ends.set()
    await asyncio.gather(*tasks)
    assert work.inside.count(FLOOD) == 5


async def test_who_only_waits_makes_way_once(work: Work) -> None:
    tasks = [work.ask(FLOOD, makes_way=True) for _ in range(4)]
    await settled()
    tasks += [work.ask(FLOOD) for _ in range(4)]
    await settled()
    assert len(work.inside) == 4 + 2
    work.ends.set()
    await settled()
    await asyncio.gather(*tasks)
    assert len(work.inside) == 8


async def test_what_never_waits_takes_turns_with_others_too() -> None:
    """Of 200 that came before, each done in one go, most come after somebody from elsewhere."""
    door, done = Door(2), list[str]()

    async def work(address: str) -> None:
        async with door.through(address, asyncio.Event().wait):
            done.append(address)

    flood = [asyncio.create_task(work(FLOOD)) for _ in range(200)]
    await asyncio.sleep(0)
    await asyncio.gather(asyncio.create_task(work(ELSEWHERE)), *flood)
    assert done.index(ELSEWHERE) <= 6


async def test_a_whole_network_of_ipv6_hosts_is_one_address(work: Work) -> None:
    tasks = [work.ask(f"2001:db8:1:{n:x}::1") for n in range(5)]
    await settled()
    assert len(work.inside) == 2
    work.ends.set()
    await asyncio.gather(*tasks)


async def test_who_gives_up_leaves_nothing_behind(work: Work) -> None:
    tasks = [work.ask(FLOOD) for _ in range(5)]
    await settled()
    for task in (tasks[0], tasks[3]):
        task.cancel()
    await settled()
    assert len(work.inside) == 3
    work.ends.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    await settled()
    assert (len(work.inside), len(work.door)) == (4, 0)


async def test_who_hangs_up_is_no_longer_in_line(work: Work) -> None:
    gone = asyncio.Event()
    inside = [work.ask(FLOOD) for _ in range(2)]
    left = [work.ask(FLOOD, gone=gone) for _ in range(3)]
    await settled()
    last = work.ask(FLOOD)
    gone.set()
    for task in left:
        with pytest.raises(GoneError):
            await task
    work.ends.set()
    await asyncio.gather(*inside, last)
    await settled()
    assert (len(work.inside), len(work.door)) == (3, 0)


async def test_a_place_that_comes_as_somebody_hangs_up_is_the_next_one_s(work: Work) -> None:
    gone = asyncio.Event()
    inside = [work.ask(FLOOD) for _ in range(2)]
    left = work.ask(FLOOD, gone=gone)
    others = [work.ask(FLOOD) for _ in range(3)]
    await settled()
    work.ends.set()
    gone.set()
    await asyncio.gather(*inside, *others, left, return_exceptions=True)
    await settled()
    assert len(work.door) == 0
    assert [task.exception() for task in (*inside, *others)] == [None] * 5


async def test_outside_of_any_request_nothing_is_held() -> None:
    make_way()
