"""
Leases in PostgreSQL: one process at a time does a thing, and another takes over when it is gone.

A lease keeps processes out of each other's way; what holds when it fails (a paused process that
wakes up late) is the position's compare-and-set.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Literal
from uuid import uuid4

import asyncpg
import structlog

from services.projections.database import translated
from services.projections.port import ProjectionUnavailableError

LASTS: Final = timedelta(seconds=3)
"""How long a lease holds without being renewed."""

log = structlog.get_logger(__name__)


class Leases:
    """The leases of one process: taken where they are free, renewed while it runs."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        names: list[str],
        lasts: timedelta = LASTS,
        *,
        table: Literal["lease", "notify_lease"] = "lease",
    ) -> None:
        """
        Args:
            pool: On the projections' schema.
            names: Of the leases that this process takes where they are free.
            lasts: How long each holds without being renewed.
            table: Where they are kept (`services.projections.bookkeeping.LEASES`).
        """
        self.owner = str(uuid4())
        self._pool, self._names, self._lasts, self._table = pool, names, lasts, table
        self._held: set[str] = set()
        self._until = 0.0
        self._changed = asyncio.Condition()
        self._again: dict[str, asyncio.Event] = {name: asyncio.Event() for name in names}

    def holds(self, name: str) -> bool:
        """Whether the lease is held now, by this process's own clock."""
        return name in self._held and time.monotonic() < self._until

    async def run(self) -> None:
        """Take and renew, until cancelled; then let go, so that others needn't wait."""
        try:
            while True:
                await self._renew()
                await asyncio.sleep(self._lasts.total_seconds() / 4)
        finally:
            with contextlib.suppress(ProjectionUnavailableError):
                await self._let_go()

    def again(self, name: str) -> None:
        """Have the work under this lease begin anew."""
        self._again[name].set()

    async def held(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """
        Do *work* once *name* is held; cancel it when the lease is lost or it must begin anew.

        Returns when *work* does, or when it was cancelled because of that: call again.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self.holds(name))
        working = asyncio.ensure_future(work())
        losing = asyncio.create_task(self._lost(name))
        try:
            await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            losing.cancel()
            if not working.done():
                working.cancel()
            await asyncio.wait({working, losing})
        if not working.cancelled():
            working.result()

    async def _lost(self, name: str) -> None:
        self._again[name].clear()
        while self.holds(name) and not self._again[name].is_set():
            left = max(self._until - time.monotonic(), 0.01)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._again[name].wait()

    async def _renew(self) -> None:
        asked = time.monotonic()
        lasts = self._lasts
        try:
            with translated():
                rows = await self._pool.fetch(
                    _TAKE.format(self._table), sorted(self._names), self.owner, lasts
                )
        except ProjectionUnavailableError as error:
            log.warning("lease.unavailable", reason=str(error))
            return
        held = {row["name"] for row in rows}
        if held != self._held:
            log.info("lease.held", names=sorted(held))
        async with self._changed:
            # A little less than the database's own count, which began later.
            self._held, self._until = held, asked + lasts.total_seconds() * 0.9
            self._changed.notify_all()

    async def _let_go(self) -> None:
        self._held = set()
        with translated():
            await self._pool.execute(
                f"DELETE FROM {self._table} WHERE owner = $1",  # noqa: S608 # A name of ours.
                self.owner,
            )


_TAKE = """
    INSERT INTO {0} AS lease (name, owner, until)
    SELECT name, $2, clock_timestamp() + $3 FROM unnest($1::text[]) AS name
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
     WHERE lease.owner = excluded.owner OR lease.until < clock_timestamp()
    RETURNING name
"""
