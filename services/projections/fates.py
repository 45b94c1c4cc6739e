"""
What became of records, as folded: announced by NOTIFY, with a poll as the net.

Any role of the database can announce anything. So an announcement says only that it is time to
look, and what it says of positions isn't read.
"""

import asyncio
import contextlib
import heapq
import itertools
from datetime import timedelta
from typing import Any, Final, Self

import asyncpg
import structlog

from events.log.port import LogUnavailableError, Seen
from events.records import Fate
from services.projections import schema
from services.projections.database import SETTINGS, translated
from services.projections.port import ProjectionUnavailableError

POLL: Final = timedelta(milliseconds=200)
"""How often positions are asked for while somebody waits, in case an announcement got lost."""

log = structlog.get_logger(__name__)


_Waiter = tuple[int, int, asyncio.Future[None]]
"""For which offset, a number to sort by, and what is to be told."""


class PgFates:
    """
    `Fates` of one topic.

    Use it as an async context manager, or `start` and `close` it. One connection listens; looks
    that come while one is under way are asked together by the next.
    """

    def __init__(self, database: str, pool: asyncpg.Pool, topic: str) -> None:
        """
        Args:
            database: For the connection that listens.
            pool: On the projections' schema.
            topic: Which.
        """
        self._database, self._pool, self._topic = database, pool, topic
        self._next: dict[int, int] = {}
        self._waiters: dict[int, list[_Waiter]] = {}
        self._announced, self._news = False, asyncio.Event()
        self._numbers = itertools.count()
        self._asked: dict[tuple[int, str], asyncio.Future[Seen]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to listen."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._poll())]

    async def close(self) -> None:
        """Listen no more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def passed(self, partition: int, offset: int, within: timedelta) -> bool:
        if self._next.get(partition, 0) > offset:
            return True
        waiter = (offset, next(self._numbers), asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiters.setdefault(partition, []), waiter)
        if self._announced:
            self._news.set()
        try:
            # Not wait_for: before Python 3.12 it can swallow a cancellation (cpython#86296).
            async with asyncio.timeout(max(within.total_seconds(), 0)):
                await waiter[-1]
        except TimeoutError:
            return False
        finally:
            self._leave(partition, waiter)
        return True

    def _leave(self, partition: int, waiter: _Waiter) -> None:
        """Wait no more: whoever asks for what never comes isn't remembered."""
        waiters = self._waiters.get(partition, [])
        if waiter in waiters:
            waiters.remove(waiter)
            heapq.heapify(waiters)
        if not waiters:
            self._waiters.pop(partition, None)

    async def look(self, partition: int, digest: str) -> Seen:
        asked = self._asked.get((partition, digest))
        if asked is None:
            asked = asyncio.get_running_loop().create_future()
            asked.add_done_callback(_heard)
            self._asked[partition, digest] = asked
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(asked)

    async def _look(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            known = dict(self._next)
            try:
                partitions, digests = zip(*asked, strict=True)
                with translated():
                    rows = await self._pool.fetch(_LOOK, self._topic, partitions, digests)
                for row in rows:
                    if row["next_offset"] < known.get(row["partition"], 0):
                        # The database was made anew, and is being folded again.
                        self._next[row["partition"]] = row["next_offset"]
                    asked[row["partition"], row["digest"]].set_result(_seen(row))
            except ProjectionUnavailableError as error:
                for future in asked.values():
                    if not future.done():
                        future.set_exception(LogUnavailableError(str(error)))
            finally:
                for future in asked.values():
                    if not future.done():
                        future.set_exception(LogUnavailableError("This isn't folded yet."))

    def _hear(self, *_: object) -> None:
        self._announced = True
        if self._waiters:
            self._news.set()

    def _moved(self, partition: int, next_offset: int) -> None:
        self._next[partition] = next_offset
        waiters = self._waiters.get(partition, [])
        while waiters and waiters[0][0] < next_offset:
            _, _, waiter = heapq.heappop(waiters)
            if not waiter.done():
                waiter.set_result(None)

    async def _listen(self) -> None:
        while True:
            connection = None
            try:
                with translated():
                    connection = await asyncpg.connect(
                        self._database, timeout=5, server_settings=SETTINGS
                    )
                    ended = asyncio.Event()
                    connection.add_termination_listener(lambda _, ended=ended: ended.set())
                    await connection.add_listener(schema.channel(self._topic), self._hear)
                    await ended.wait()
            except ProjectionUnavailableError as error:
                log.debug("fates.deaf", topic=self._topic, reason=str(error))
            finally:
                if connection is not None:
                    with contextlib.suppress(Exception):
                        await connection.close(timeout=1)
            await asyncio.sleep(POLL.total_seconds())

    async def _poll(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL.total_seconds()):
                    await self._news.wait()
            self._news.clear()
            if not self._waiters:
                continue
            self._announced = False
            try:
                with translated():
                    rows = await self._pool.fetch(_POSITIONS, self._topic)
            except ProjectionUnavailableError as error:
                log.debug("fates.unavailable", topic=self._topic, reason=str(error))
                continue
            for row in rows:
                self._moved(row["partition"], row["next_offset"])


def _heard(future: "asyncio.Future[Any]") -> None:
    """An error is heard even where nobody waits any more; asyncio would complain."""
    if not future.cancelled():
        future.exception()


def _seen(row: asyncpg.Record) -> Seen:
    fate = row["fate"]
    return Seen(
        next_offset=max(row["next_offset"], 0),
        clock=row["clock"],
        fate=None if fate is None else Fate(fate),
        offset=row["offset"],
    )


_POSITIONS = "SELECT partition, next_offset FROM partition_state WHERE topic = $1"

_LOOK = """
    SELECT asked.partition, asked.digest, state.next_offset, state.clock, found.fate, found.offset
      FROM unnest($2::int[], $3::text[]) AS asked (partition, digest)
      JOIN partition_state state ON state.topic = $1 AND state.partition = asked.partition
      LEFT JOIN LATERAL (
          SELECT fate, "offset" FROM recent_record
           WHERE digest = asked.digest AND topic = $1 AND partition = asked.partition
           ORDER BY fate <> 'counted', "offset" LIMIT 1
      ) found ON true
"""
