"""What both kinds of keys need while they rotate: people who go on, services that follow."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from events import keys
from tests.attacks.earnest import Earnest
from tests.browser.people import Somebody, Staffing

PARTITIONS = 2


class Logins:
    """People who log in again and again."""

    def __init__(self, staffing: Staffing, people: list[Somebody]) -> None:
        self._staffing, self._people = staffing, people
        self.seconds: list[float] = []

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        ended = asyncio.Event()

        async def log_in(someone: Somebody) -> None:
            while not ended.is_set():
                began = time.perf_counter()
                assert await self._staffing.log_in(someone)
                self.seconds.append(time.perf_counter() - began)
                await asyncio.sleep(0.1)

        async with asyncio.TaskGroup() as group:
            for someone in self._people:
                group.create_task(log_in(someone))
            try:
                yield
            finally:
                ended.set()


async def until_followed(earnest: Earnest, *, mac: bool = False) -> None:
    """Until every service has said that it uses the keys that are current."""
    ring = keys.load(earnest.ring)
    current = ring.mac.current if mac else ring.encryption.current
    wanted = f'"{"mac" if mac else "encryption"}": "{current}"'
    for process in earnest.processes.values():
        await asyncio.to_thread(process.wait_for_line, wanted, timeout=20)
