"""All projectors of one process, each under the lease of its partition."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, cast

import asyncpg
import structlog

from events.keys import KeyRing
from events.log.port import LogUnavailableError
from events.vault.topic import VaultTopic
from services.projections import bookkeeping, metrics, schema
from services.projections.database import translated
from services.projections.lease import LASTS, Leases
from services.projections.port import ProjectionUnavailableError
from services.projections.projector import Projector, Source
from services.projections.vault_projector import VaultProjector
from services.projections.writing import FenceError

PRUNED_EVERY: Final = timedelta(minutes=5)
VERIFIED_EVERY: Final = timedelta(milliseconds=500)
LAG_EVERY: Final = timedelta(seconds=5)

log = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[None]]


class NotReadyError(Exception):
    """The projections haven't caught up with where the log ended when this process started."""


class Projections:
    """What one process folds: partitions of the history, the strangers' topic and the vault."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        sources: Sequence[Source],
        vault: VaultTopic | None,
        ring: KeyRing,
        *,
        others: Mapping[str, Work] | None = None,
        lasts: timedelta = LASTS,
    ) -> None:
        """
        Args:
            pool: On the projections' schema.
            sources: Topics with the acceptance rule.
            vault: The vault's topic.
            ring: The keys, which may change while it folds.
            others: More that one process at a time does, by the name of its lease.
            lasts: How long a lease holds without being renewed.
        """
        self._pool, self._sources, self._vault = pool, sources, vault
        self._projectors: dict[tuple[str, int], Projector | VaultProjector] = {
            (source.topic, partition): Projector(pool, source, partition, ring.mac.keys)
            for source in sources
            for partition in range(source.log.partitions)
        }
        if vault is not None:
            for partition in range(vault.partitions):
                self._projectors[vault.topic, partition] = VaultProjector(
                    pool, vault, partition, ring.encryption
                )
        self._work: dict[str, Work] = {
            _lease(*place): projector.run for place, projector in self._projectors.items()
        } | dict(others or {})
        self.leases = Leases(pool, list(self._work), lasts)
        self._due: dict[tuple[str, int], int] | None = None

    async def run(self) -> None:
        """Fold until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.leases.run())
            for name, work in self._work.items():
                group.create_task(self._keep(name, work))
            group.create_task(self._verify())
            group.create_task(self._prune())
            group.create_task(self._watch_lag())

    async def ready(self) -> None:
        """
        Whether everything is folded that stood in the log when this was first asked.

        Raises:
            NotReadyError: It isn't; says what is missing.
            LogUnavailableError: Kafka can't be asked.
            ProjectionUnavailableError: PostgreSQL can't be asked.
        """
        due_by_place = await self.due()
        positions = await self._positions()
        behind = [
            f"{topic}-{partition}"
            for (topic, partition), due in due_by_place.items()
            if positions.get((topic, partition), -2) < due
        ]
        if behind:
            raise NotReadyError(f"Not folded yet: {', '.join(sorted(behind))}.")

    async def due(self) -> Mapping[tuple[str, int], int]:
        """
        Where each partition's log ended when this was first asked; -1: to follow it must do.

        Raises:
            LogUnavailableError: Kafka can't be asked.
        """
        if self._due is None:
            forgetful = {source.topic for source in self._sources if source.forgetful}
            # A topic that forgets may hold nothing any more: that it is followed must do.
            self._due = {
                place: -1 if place[0] in forgetful or end == 0 else end
                for place, end in (await self._ends()).items()
            }
        return self._due

    async def _keep(self, name: str, work: Work) -> None:
        """Do *work* whenever its lease is held, whatever becomes of it."""
        while True:
            try:
                await self.leases.held(name, work)
            except Exception:
                log.exception("projector.failed", lease=name)
                await asyncio.sleep(1)

    async def _ends(self) -> dict[tuple[str, int], int]:
        ends = {
            (source.topic, partition): await source.log.end(partition)
            for source in self._sources
            for partition in range(source.log.partitions)
        }
        if self._vault is not None:
            for partition in range(self._vault.partitions):
                ends[self._vault.topic, partition] = await self._vault.end(partition)
        return ends

    async def _positions(self) -> dict[tuple[str, int], int]:
        with translated():
            rows = await self._pool.fetch(_POSITIONS)
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def _verify(self) -> None:
        """
        See that the database still holds what was written to it.

        Commits don't wait for its disk: when it crashes it goes back by a moment, and when it was
        made anew, to the start. Whoever believes to be further begins again from what is stored.
        """
        while True:
            await asyncio.sleep(VERIFIED_EVERY.total_seconds())
            believed = {place: one.next_offset for place, one in self._projectors.items()}
            try:
                stored = await self._positions()
            except ProjectionUnavailableError:
                await self._mend()
                continue
            for place, next_offset in believed.items():
                lease = _lease(*place)
                if next_offset is None or not self.leases.holds(lease):
                    continue
                if stored.get(place, -2) < next_offset:
                    log.warning("partition.set_back", topic=place[0], partition=place[1])
                    self.leases.again(lease)

    async def _mend(self) -> None:
        """Make the schema again, where the database was made anew."""
        try:
            with translated():
                async with self._pool.acquire() as connection:
                    if await schema.ensure(cast("asyncpg.Connection", connection)):
                        log.warning("schema.made", schema=schema.name())
        except ProjectionUnavailableError as error:
            log.warning("database.unavailable", reason=str(error))

    async def _watch_lag(self) -> None:
        while True:
            try:
                ends, positions = await self._ends(), await self._positions()
                for (topic, partition), end in ends.items():
                    lag = max(end - max(positions.get((topic, partition), 0), 0), 0)
                    metrics.LAG.labels(topic, str(partition)).set(lag)
            except (LogUnavailableError, ProjectionUnavailableError):
                log.debug("lag.unknown")
            await asyncio.sleep(LAG_EVERY.total_seconds())

    async def _prune(self) -> None:
        while True:
            await self.prune()
            await asyncio.sleep(PRUNED_EVERY.total_seconds())

    async def prune(self) -> None:
        """Let go of all that has been kept for long enough; what can't be now, is the next time."""
        for place, projector in self._projectors.items():
            lease = _lease(*place)
            if not isinstance(projector, Projector) or not self.leases.holds(lease):
                continue
            try:
                await projector.forget()
            except FenceError:
                # It was rebuilt, and nothing has come since by which the projector would know.
                self.leases.again(lease)
            except ProjectionUnavailableError:
                log.debug("prune.postponed", lease=lease)
        await self._prune_tables()

    async def _prune_tables(self) -> None:
        kept = timedelta(days=bookkeeping.KEPT_DAYS)
        try:
            for table, moment in (("recent_record", "at"), ("session_activity", "last_seen")):
                found = bookkeeping.PRUNED_AT_ONCE
                while found == bookkeeping.PRUNED_AT_ONCE:
                    with translated():
                        found = await self._pool.fetchval(
                            _PRUNE.format(table, moment), kept, bookkeeping.PRUNED_AT_ONCE
                        )
        except ProjectionUnavailableError:
            log.debug("prune.postponed")


def _lease(topic: str, partition: int) -> str:
    return f"{topic}/{partition}"


_PRUNE = """
    WITH gone AS (
        DELETE FROM {0} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {0} WHERE {1} < now() - $1::interval LIMIT $2
        )) RETURNING 1
    )
    SELECT count(*) FROM gone
"""

_POSITIONS = "SELECT topic, partition, next_offset FROM partition_state"
