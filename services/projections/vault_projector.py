"""
The projector of one partition of the vault's topic: the last value of each entry, as sealed.

No acceptance rule holds here: an entry never changes once it is there, except that its data key is
wrapped anew under a newer key; a tombstone removes it. What only somebody without the keys can have
written is refused. Where it was written over an entry, the topic would be left with it alone once
it is compacted, so the entry is marked, and the keeper appends it again.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import asyncpg
import structlog

from events.key_id import number
from events.keys import RotatingKey
from events.log.port import LogUnavailableError
from events.moments import from_milliseconds
from events.vault.sealing import SealedEntry, UnsealingError, is_id, opens
from events.vault.topic import Kept, VaultTopic
from services.projections import metrics
from services.projections.database import translated
from services.projections.port import ProjectionUnavailableError
from services.projections.projector import AGAIN_AFTER
from services.projections.tables import VAULT_ENTRY, Row
from services.projections.writing import FenceError, Stored, load, write

TOMBSTONES_KEPT: Final = timedelta(days=6)
"""Tombstones are kept for 7 days: a reader that was away for longer begins anew."""

LONGEST_TO_COME: Final = timedelta(minutes=5)
"""
A deadline further than this past its append time is nobody's of ours: the event that an entry was
made for has one within 60 s. Without a bound, entries that nobody needs could be kept for ever.
"""

_NOTED_EVERY: Final = timedelta(seconds=60)

log = structlog.get_logger(__name__)


class VaultProjector:
    """
    Keeps one partition of the vault at hand; only whoever holds its lease should `run` it.

    Attributes:
        next_offset: How far it believes to have folded; None before it began.
    """

    def __init__(
        self, pool: asyncpg.Pool, topic: VaultTopic, partition: int, key: RotatingKey
    ) -> None:
        self._pool, self._topic, self._partition, self._key = pool, topic, partition, key
        self._about = {"topic": topic.topic, "partition": partition}
        self.next_offset: int | None = None

    async def run(self) -> None:
        """Follow until cancelled, or until somebody else has moved the partition."""
        while True:
            try:
                await self._follow()
            except FenceError:
                log.warning("partition.lost", **self._about)
                return
            except (LogUnavailableError, ProjectionUnavailableError) as error:
                log.warning("partition.waiting", reason=str(error), **self._about)
                await asyncio.sleep(AGAIN_AFTER.total_seconds())

    async def _follow(self) -> None:
        with translated():
            async with self._pool.acquire() as pooled:
                connection = cast("asyncpg.Connection", pooled)
                await connection.execute(
                    _FORGET_STALE, self._topic.topic, self._partition, TOMBSTONES_KEPT
                )
                stored = await load(
                    connection, self._topic.topic, self._partition, forgets=self._topic.partitions
                )
        if await self._topic.end(self._partition) < stored.next_offset:
            log.error("partition.halted", reason="The vault's topic was made anew.", **self._about)
            await asyncio.Event().wait()
        self.next_offset = stored.next_offset
        noted = datetime.now(UTC)
        start = max(stored.next_offset, 0)
        async with aclosing(self._topic.read(self._partition, start)) as batches:  # type: ignore[type-var]
            async for records in batches:
                if records:
                    stored = await self._batch(stored, records)
                elif datetime.now(UTC) - noted > _NOTED_EVERY:
                    noted = datetime.now(UTC)
                    with translated():
                        await self._pool.execute(_NOTE_READ, *self._about.values())

    async def _batch(self, stored: Stored, records: Sequence[Kept]) -> Stored:
        with translated():
            async with self._pool.acquire() as pooled:
                connection = cast("asyncpg.Connection", pooled)
                ids = {name for record in records if (name := _name(record)) is not None}
                known = await connection.fetch(
                    "SELECT id, value, overwritten FROM vault_entry WHERE id = ANY($1::text[])",
                    list(ids),
                )
                there = {row["id"]: bytes(row["value"]) for row in known}
                before = {row["id"]: (bytes(row["value"]), row["overwritten"]) for row in known}
                refused: dict[str | None, bool] = {}
                for record in records:
                    fate = fold(there, record, self._key)
                    refused[_name(record)] = fate == "refused"
                    metrics.RECORDS.labels(self._topic.topic, fate).inc()
                    if fate == "refused":
                        log.warning("vault.refused", offset=record.offset, **self._about)
                rows = {
                    (name,): _row(name, value, self._partition, overwritten=refused[name])
                    for name, value in there.items()
                    if before.get(name) != (value, refused[name])
                }
                gone = [name for name in before if name not in there]
                last = records[-1]
                state = stored.state
                state.clock = max(state.clock, from_milliseconds(last.append_time_ms))
                moved = replace(
                    stored, next_offset=last.offset + 1, last_time_ms=last.append_time_ms
                )
                await write(connection, stored, moved, {VAULT_ENTRY: rows}, {VAULT_ENTRY: gone})
        self.next_offset = moved.next_offset
        return moved


def fold(there: dict[str, bytes], record: Kept, key: RotatingKey) -> str:
    """
    Move *there* (values by entry id) on by one record.

    An entry under a key that isn't in the ring can't be judged: it is taken where none is there, as
    when a vault is folded afresh whose old keys were dropped, and gives way to one that opens.

    Args:
        there: Moved on.
        record: Of the vault's topic.
        key: The key-encryption keys.

    Returns:
        ``put``, ``rewrapped``, ``forgotten``, or ``refused``: it is no entry, doesn't open, or
        would change one.
    """
    name = _name(record)
    if name is None:
        return "refused"
    if record.value is None:
        there.pop(name, None)
        return "forgotten"
    try:
        entry = SealedEntry.from_bytes(record.value)
    except UnsealingError:
        return "refused"
    appended = from_milliseconds(record.append_time_ms)
    if entry.id != name or entry.deadline - appended > LONGEST_TO_COME:
        return "refused"
    old = SealedEntry.from_bytes(there[name]) if name in there else None
    if old == entry:
        return "put"
    if not opens(entry, key) and (old is not None or key.keys.get(entry.key_id) is not None):
        return "refused"
    rewrapped = old is not None and _is_rewrapped(old, entry)
    if old is not None and not rewrapped and opens(old, key):
        return "refused"
    there[name] = record.value
    return "rewrapped" if rewrapped else "put"


def _name(record: Kept) -> str | None:
    """The id that *record* is keyed by; None where it can be no entry's."""
    name = (record.key or b"").decode("ascii", "replace")
    return name if is_id(name) else None


def _is_rewrapped(old: SealedEntry, new: SealedEntry) -> bool:
    """Never back under an older key: whoever repeats what the keeper wrote could keep it in use."""
    same = replace(old, key_id=new.key_id, wrapped_key=new.wrapped_key) == new
    return same and number(new.key_id) > number(old.key_id)


def _row(name: str, value: bytes, partition: int, *, overwritten: bool) -> Row:
    one = SealedEntry.from_bytes(value)
    return name, one.owner, one.kind, one.deadline, one.key_id, partition, value, overwritten


_FORGET_STALE = """
    WITH stale AS (
        DELETE FROM partition_state
         WHERE topic = $1 AND partition = $2 AND read_at < now() - $3::interval RETURNING 1
    )
    DELETE FROM vault_entry USING stale WHERE partition = $2
"""

_NOTE_READ = "UPDATE partition_state SET read_at = now() WHERE topic = $1 AND partition = $2"
