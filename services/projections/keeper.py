"""
The keeper of the vault: forgets the entries that no counted event needs. One runs at a time.

An entry that somebody's state named, and names no more, goes at once: the event that named it has
counted, and no copy of it can count again. One that was never named goes once a record behind its
deadline has been read in its owner's partition, because from then on none that names it can count;
where a partition is quiet, the keeper appends a tick. It also wraps entries under the current key,
and appends those again that somebody wrote over. And where a partition of the vault is quiet for a
day it appends a tombstone of nobody's: Kafka compacts no segment that it still writes to, and
begins a new one at the next record alone, so that what was forgotten last would stay on its disks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import uuid4

import asyncpg
import structlog
from prometheus_client import Counter

from events import topics
from events.acceptance import LONGEST_DEADLINE
from events.keys import RotatingKey
from events.log.port import LogError
from events.vault.sealing import SealedEntry, UnsealingError, rewrap
from events.vault.topic import VaultTopic
from services.projections.database import translated
from services.projections.port import ProjectionUnavailableError

EVERY: Final = timedelta(seconds=1)
SWEPT_EVERY: Final = timedelta(seconds=30)
CAUGHT_UP_WITHIN: Final = timedelta(seconds=5)
AT_ONCE: Final = 200

FORGOTTEN = Counter("twofold_vault_forgotten_total", "Vault entries forgotten", ["why"])
RESTORED = Counter("twofold_vault_restored_total", "Vault entries that somebody had written over")
REWRAPPED = Counter("twofold_vault_rewrapped_total", "Vault entries wrapped under the current key")

log = structlog.get_logger(__name__)

Tick = Callable[[int], Awaitable[int]]


class Keeper:
    """Forgets what nobody needs."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: VaultTopic,
        key: RotatingKey,
        *,
        events: str,
        tick: Tick,
        grace: timedelta = LONGEST_DEADLINE,
        quiet: timedelta = topics.COMPACTED_AFTER,
    ) -> None:
        """
        Args:
            pool: On the projections' schema.
            vault: Where tombstones go.
            key: The key-encryption keys.
            events: The history's topic.
            tick: Appends a tick to a partition of it.
            grace: How long past its deadline an entry is kept that was never named.
            quiet: How long nothing may come in a partition of the vault.
        """
        self._pool, self._vault, self._key = pool, vault, key
        self._events, self._tick, self._grace, self._quiet = events, tick, grace, quiet

    async def run(self) -> None:
        """Look every second, and through everything every half minute, until cancelled."""
        loop = asyncio.get_running_loop()
        sweep_due, wrapped_under = 0.0, ""
        while True:
            try:
                await self.forget_retired()
                await self.restore()
                if loop.time() >= sweep_due:
                    await self.sweep()
                    wrapped_under = ""  # Entries that came under an old key meanwhile.
                    sweep_due = loop.time() + SWEPT_EVERY.total_seconds()
                    await self.stir()
                if wrapped_under != self._key.current:
                    wrapping = self._key.current
                    await self.rewrap_old()
                    wrapped_under = wrapping
            except (ProjectionUnavailableError, LogError) as error:
                log.warning("keeper.waiting", reason=str(error))
            await asyncio.sleep(EVERY.total_seconds())

    async def forget_retired(self) -> int:
        """
        Forget entries that a person's state named and names no more, and those of the forgotten.

        Returns:
            How many.
        """
        with translated():
            found = await self._pool.fetch(_RETIRED, AT_ONCE)
        return await self._forget([row["id"] for row in found], "retired")

    async def sweep(self) -> int:
        """
        Forget entries that were never named and can't come to be; make time move where it must.

        Returns:
            How many were forgotten.
        """
        with translated():
            found = await self._pool.fetch(_NEVER_NAMED, self._events, self._grace, AT_ONCE)
            quiet = await self._pool.fetch(_QUIET, self._events, self._grace)
        for row in quiet:
            await self._tick(row["partition"])
        return await self._forget([row["id"] for row in found], "never named")

    async def stir(self) -> None:
        """
        Append a tombstone of no entry where nothing has come for so long; one a day at most.

        Raises:
            ProjectionUnavailableError: PostgreSQL is away, or the vault isn't folded.
            LogError: Kafka is away.
        """
        # What came last is known once it is folded: the tombstone of half a minute ago, for one.
        await self._wait_until_folded()
        with translated():
            found = await self._pool.fetch(_STILL, self._vault.topic, self._quiet)
        for row in found:
            await self._vault.append(self._id_of(row["partition"]), None)

    async def restore(self) -> int:
        """
        Append entries again over which somebody wrote what is refused.

        The topic keeps the last value of each alone: whoever folds it once it is compacted would
        find none that opens.

        Returns:
            How many.

        Raises:
            ProjectionUnavailableError: PostgreSQL is away, or the vault isn't folded.
            LogError: Kafka is away.
        """
        with translated():
            if not await self._pool.fetchval(f"SELECT EXISTS ({_OVERWRITTEN})", 1):
                return 0
        # As for what is wrapped anew: nothing that was forgotten comes back by it.
        await self._wait_until_folded()
        with translated():
            found = await self._pool.fetch(_OVERWRITTEN, AT_ONCE)
        for row in found:
            await self._vault.append(row["id"], bytes(row["value"]))
        if found:
            RESTORED.inc(len(found))
            log.warning("vault.restored", entries=len(found))
        return len(found)

    async def rewrap_old(self) -> int:
        """
        Wrap entries whose key is not the current one anew, all of them.

        What is done is done, wherever it is cut off: the entries themselves tell which are left.

        Returns:
            How many.

        Raises:
            ProjectionUnavailableError: PostgreSQL is away, or the vault isn't folded.
            LogError: Kafka is away.
        """
        done, after = 0, ""
        while True:
            # What is forgotten must not be wrapped anew: nobody else forgets, so that behind our
            # own last tombstone what is folded is what there is.
            await self.forget_retired()
            await self._wait_until_folded()
            with translated():
                found = await self._pool.fetch(_OLD_KEY, self._key.current, after, AT_ONCE)
            if not found:
                if done:
                    log.info("vault.rewrapped", entries=done, key=self._key.current)
                return done
            entries = [entry for row in found if (entry := self._rewrapped(row)) is not None]
            await self._vault.append_all([(entry.id, entry.to_bytes()) for entry in entries])
            REWRAPPED.inc(len(entries))
            done, after = done + len(entries), found[-1]["id"]

    def _id_of(self, partition: int) -> str:
        """An id of no entry that stands in *partition*."""
        found = str(uuid4())
        while self._vault.partition_of(found) != partition:
            found = str(uuid4())
        return found

    def _rewrapped(self, row: asyncpg.Record) -> SealedEntry | None:
        try:
            return rewrap(SealedEntry.from_bytes(bytes(row["value"])), self._key)
        except UnsealingError as error:
            log.warning("keeper.cannot_rewrap", entry=row["id"], reason=str(error))
            return None

    async def _wait_until_folded(self) -> None:
        """Wait until the vault is folded as far as it goes now."""
        ends = [await self._vault.end(partition) for partition in range(self._vault.partitions)]
        loop = asyncio.get_running_loop()
        give_up = loop.time() + CAUGHT_UP_WITHIN.total_seconds()
        while True:
            with translated():
                rows = await self._pool.fetch(_VAULT_POSITIONS, self._vault.topic)
            folded = {row["partition"]: row["next_offset"] for row in rows}
            if all(max(folded.get(partition, -1), 0) >= end for partition, end in enumerate(ends)):
                return
            if loop.time() > give_up:
                raise ProjectionUnavailableError("The vault isn't folded to its end.")
            await asyncio.sleep(0.02)

    async def _forget(self, entry_ids: list[str], why: str) -> int:
        for entry_id in entry_ids:
            await self._vault.append(entry_id, None)
            FORGOTTEN.labels(why).inc()
        if entry_ids:
            log.info("vault.forgot", entries=len(entry_ids), why=why)
        return len(entry_ids)


_RETIRED = """
    SELECT v.id FROM vault_entry v JOIN retired_entry r ON r.entry_id = v.id
    UNION
    SELECT v.id FROM vault_entry v JOIN staff_account a ON a.staff_id = v.owner WHERE a.forgotten
    LIMIT $1
"""

_UNNAMED = """
      FROM vault_entry v
      LEFT JOIN staff_account a ON a.staff_id = v.owner
     WHERE v.id IS DISTINCT FROM a.data_key
       AND v.id IS DISTINCT FROM a.password
       AND v.id IS DISTINCT FROM a.authenticator
"""

# Of somebody who isn't registered nobody knows the partition: time must have passed in all, those
# included that nothing is folded of yet.
_NEVER_NAMED = f"""
    SELECT v.id {_UNNAMED}
       AND v.deadline + $2::interval < (
           SELECT min(p.clock) FROM partition_state p
            WHERE p.topic = $1 AND (a.partition IS NULL OR p.partition = a.partition)
           HAVING a.partition IS NOT NULL OR count(*) = max(p.partitions)
       )
     LIMIT $3
"""  # noqa: S608 # Constants of ours.

_QUIET = f"""
    SELECT DISTINCT p.partition
      FROM partition_state p JOIN (
          SELECT a.partition, v.deadline {_UNNAMED} AND v.deadline + $2::interval < now()
      ) due ON (due.partition IS NULL OR due.partition = p.partition)
           AND due.deadline + $2::interval >= p.clock
     WHERE p.topic = $1
"""  # noqa: S608 # As above.
# The deadline is by the broker's clock, and now() by the database's: what matters is the former;
# the latter only says when it is worth asking.

_STILL = """
    SELECT partition FROM partition_state
     WHERE topic = $1 AND next_offset > 0
       AND last_time_ms < 1000 * extract(epoch FROM now() - $2::interval)
"""

_OVERWRITTEN = "SELECT id, value FROM vault_entry WHERE overwritten LIMIT $1"

_VAULT_POSITIONS = "SELECT partition, next_offset FROM partition_state WHERE topic = $1"

_OLD_KEY = """
    SELECT id, value FROM vault_entry WHERE key_id <> $1 AND id > $2 ORDER BY id LIMIT $3
"""
