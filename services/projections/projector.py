"""
The projector of one partition: reads, judges, folds, and writes each batch with its position.

What it holds in memory is only good while nobody else moves the partition: after any failure it
begins again from what is stored.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import asyncpg
import structlog

from events import streams
from events.canonical import digest
from events.log.port import EventLog, LogUnavailableError
from events.records import QUARANTINED, HaltError, Record
from services.projections import bookkeeping, metrics
from services.projections.batch import LARGEST, Folded, envelopes, fold, portions
from services.projections.database import translated
from services.projections.port import ProjectionUnavailableError
from services.projections.states import States, needs_of
from services.projections.tables.stranger import PROJECTION
from services.projections.writing import FenceError, Stored, load, write

AGAIN_AFTER: Final = timedelta(milliseconds=250)
"""How long to wait before trying again what wasn't available."""

STRANGER: Final = PROJECTION.table

log = structlog.get_logger(__name__)


class OtherLogError(HaltError):
    """The log is not the one that was folded: its last record differs, or is gone."""


@dataclass(frozen=True, slots=True)
class Source:
    """
    A topic to fold.

    Attributes:
        topic: Its name.
        log: Where it is read.
        forgetful: It deletes old records, and has no genesis (the strangers' topic).
    """

    topic: str
    log: EventLog
    forgetful: bool = False


class Projector:
    """
    Folds one partition; only whoever holds its lease should `run` it.

    Attributes:
        next_offset: How far it believes to have folded; None before it began.
    """

    def __init__(
        self, pool: asyncpg.Pool, source: Source, partition: int, keys: Mapping[str, bytes]
    ) -> None:
        self._pool, self._source, self._partition, self._keys = pool, source, partition, keys
        self._about = {"topic": source.topic, "partition": partition}
        self._labels = (source.topic, str(partition))
        self.next_offset: int | None = None
        self._cleared = False
        self._at_hand: tuple[Stored, States] | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """
        Fold what is there and what comes, until cancelled or somebody else has moved the partition.

        A halted partition waits, for whoever looks after it, to be started again.
        """
        metrics.HALTED.labels(*self._labels).set(0)
        try:
            await self._run()
        finally:
            self._at_hand = None

    async def forget(self) -> None:
        """
        Let go of the strangers whom nobody has tried for `STRANGERS_KEPT_DAYS`.

        Only whoever holds the partition's heads at hand may: a head that is gone from the database
        alone would supersede whatever is tried next, for that username and no other.

        Raises:
            FenceError: Somebody else has moved the partition.
            ProjectionUnavailableError: PostgreSQL is away.
        """
        found = LARGEST
        while self._source.forgetful and found == LARGEST:
            async with self._turn:  # Between batches, which needn't wait for all of it.
                found = await self._forget_some()

    async def _forget_some(self) -> int:
        if self._at_hand is None:
            return 0
        stored, states = self._at_hand
        kept = timedelta(days=bookkeeping.STRANGERS_KEPT_DAYS)
        with translated():
            async with self._pool.acquire() as pooled:
                connection = cast("asyncpg.Connection", pooled)
                old = [
                    row["username_digest"]
                    for row in await connection.fetch(
                        _OLD_STRANGERS, self._partition, kept, LARGEST
                    )
                ]
                # Before they are gone: whether or not that comes about, they are asked for again.
                states.drop_strangers(old)
                heads = [streams.stranger(one) for one in old]
                if old:
                    gone = {STRANGER: old, bookkeeping.STREAM_HEAD: heads}
                    await write(connection, stored, stored, {}, gone)
        return len(old)

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except HaltError as error:
                await self._halted(error)
                await asyncio.Event().wait()  # It keeps its lease: another process would halt too.
            except FenceError:
                log.warning("partition.lost", **self._about)
                await asyncio.sleep(AGAIN_AFTER.total_seconds())
                return
            except (LogUnavailableError, ProjectionUnavailableError) as error:
                log.warning("partition.waiting", reason=str(error), **self._about)
                await asyncio.sleep(AGAIN_AFTER.total_seconds())

    async def _follow(self) -> None:
        """From what is stored; the last record is read again first, to see that it is the same."""
        source = self._source
        with translated():
            async with self._pool.acquire() as connection:
                stored = await load(
                    cast("asyncpg.Connection", connection),
                    source.topic,
                    self._partition,
                    forgets=source.log.partitions if source.forgetful else 0,
                )
        states, known = States(), stored.last_digest != ""
        self.next_offset = stored.next_offset
        stored.state.heads = states.heads
        self._at_hand = stored, states
        if known and not source.forgetful:
            await self._check_end(stored)
        start = max(stored.next_offset - known, 0)
        async with aclosing(source.log.read(self._partition, start)) as batches:  # type: ignore[type-var]
            async for records in batches:
                fresh = records
                if known:
                    fresh, known = self._known_again(stored, records), False
                for some in portions(fresh):
                    async with self._turn:
                        stored = await self._batch(stored, states, some)

    async def _check_end(self, stored: Stored) -> None:
        end = await self._source.log.end(self._partition)
        if end < stored.next_offset:
            raise OtherLogError(
                f"The log of partition {self._partition} ends at {end}, where {stored.next_offset}"
                " records had been folded: it was cut, or made anew."
            )

    def _known_again(self, stored: Stored, records: Sequence[Record]) -> Sequence[Record]:
        """The records behind the one that was folded last, once that is seen to be the same."""
        first = records[0]
        if first.offset > stored.next_offset - 1 and self._source.forgetful:
            if first.offset > stored.next_offset:
                stored.state.next_offset = None
            return records
        same = (
            first.offset == stored.next_offset - 1
            and first.append_time_ms == stored.last_time_ms
            and digest(first.value or b"") == stored.last_digest
        )
        if not same:
            raise OtherLogError(
                f"Offset {stored.next_offset - 1} of partition {self._partition} holds another"
                " record than the one that was folded from there: history was changed."
            )
        return records[1:]

    async def _batch(self, stored: Stored, states: States, records: Sequence[Record]) -> Stored:
        began, topic = time.monotonic(), self._source.topic
        self._at_hand = None  # Until what is folded is stored: it is ahead of that.
        with translated():
            async with self._pool.acquire() as pooled:
                connection = cast("asyncpg.Connection", pooled)
                await states.preload(connection, needs_of(envelopes(records)))
                kept_since = datetime.now(UTC) - timedelta(days=bookkeeping.KEPT_DAYS)
                folded = fold(
                    topic, stored.state, states, records, self._keys, kept_since=kept_since
                )
                if folded.judged:
                    moved = stored.moved(folded.judged[-1])
                    await write(connection, stored, moved, folded.rows)
                    stored = moved
                    self.next_offset = stored.next_offset
        self._at_hand = stored, states
        self._tell(folded)
        if folded.judged and not self._cleared:
            await self._clear_halt()
        metrics.BATCH_SECONDS.labels(topic).observe(time.monotonic() - began)
        states.shrink()
        if folded.halt is not None:
            raise folded.halt
        if len(records) == LARGEST:
            await asyncio.sleep(0)  # Let others have their turn while catching up.
        return stored

    async def _clear_halt(self) -> None:
        with translated():
            await self._pool.execute(
                "DELETE FROM halt WHERE topic = $1 AND partition = $2", *self._about.values()
            )
        self._cleared = True

    def _tell(self, folded: Folded) -> None:
        for judged in folded.judged:
            metrics.RECORDS.labels(self._source.topic, judged.fate.value).inc()
            if judged.fate in QUARANTINED:
                log.warning(
                    "record.quarantined",
                    offset=judged.record.offset,
                    fate=judged.fate.value,
                    digest=judged.digest,
                    **self._about,
                )

    async def _halted(self, error: HaltError) -> None:
        kind = type(error).__name__
        log.error("partition.halted", kind=kind, reason=str(error), **self._about)
        metrics.HALTED.labels(*self._labels).set(1)
        while True:
            try:
                with translated():
                    await self._pool.execute(
                        _HALT, self._labels[0], self._partition, kind, str(error)
                    )
            except ProjectionUnavailableError:
                await asyncio.sleep(AGAIN_AFTER.total_seconds())
            else:
                return


_OLD_STRANGERS = """
    SELECT username_digest FROM stranger WHERE partition = $1 AND at < now() - $2::interval LIMIT $3
"""

_HALT = """
    INSERT INTO halt (topic, partition, kind, reason) VALUES ($1, $2, $3, $4)
    ON CONFLICT (topic, partition) DO UPDATE SET kind = $3, reason = $4, at = now()
"""
