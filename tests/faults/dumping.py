"""What the projected tables say, and what a fold from Kafka alone, up to the same place, says."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from events import keys, topics
from events.log import broker
from events.log.bulk import bounds
from events.log.kafka import KafkaLog
from events.records import Record
from events.vault.topic import VaultTopic
from services.projections import schema
from services.projections.database import open_pool
from services.projections.projector import Projector, Source
from services.projections.vault_projector import VaultProjector

Rows = dict[str, list[tuple[object, ...]]]
Place = tuple[str, int]
T = TypeVar("T")

_POSITIONS: Final = (
    "SELECT topic, partition, next_offset, clock, running FROM partition_state ORDER BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class Dump:
    """
    One snapshot of every folded table.

    Attributes:
        rows: By table, in the order of its key; the vault's rows excepted.
        entries: The vault's rows.
        positions: How far each partition is folded.
        running: The digest of everything that was folded, by partition.
    """

    rows: Rows
    entries: Sequence[tuple[object, ...]]
    positions: Mapping[Place, int]
    running: Mapping[Place, str]

    @property
    def size(self) -> int:
        """How many rows there are."""
        return sum(len(rows) for rows in self.rows.values())

    def differences(self, other: "Dump", *, without: Sequence[str] = ()) -> list[str]:
        """The tables that say something else, each with how many rows differ."""
        found = []
        for name in sorted(self.rows.keys() - set(without)):
            ours, theirs = set(self.rows[name]), set(other.rows[name])
            if ours != theirs:
                found.append(f"{name}: {len(ours - theirs)} here, {len(theirs - ours)} there")
        return found


def aside(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own, beside the tests' one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def dump(database: str) -> Dump:
    """Every folded table, in one snapshot."""
    connection = await asyncpg.connect(
        database, server_settings={"search_path": schema.name(), "timezone": "UTC"}
    )
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _dump(connection)
    finally:
        await connection.close()


async def _dump(connection: asyncpg.Connection) -> Dump:
    rows: Rows = {}
    for table in schema.all_tables():
        order = ", ".join(f'"{name}"' for name in table.key)
        found = await connection.fetch(f"SELECT * FROM {table.name} ORDER BY {order}")  # noqa: S608
        rows[table.name] = [tuple(_plain(value) for value in row) for row in found]
    entries = rows.pop("vault_entry")
    state = await connection.fetch(_POSITIONS)
    return Dump(
        rows,
        entries,
        {(row["topic"], row["partition"]): row["next_offset"] for row in state},
        {
            (row["topic"], row["partition"]): f"{row['running']} {row['clock']}"
            for row in state
            if row["topic"] != topics.VAULT.name and row["next_offset"] > 0
        },
    )


def _plain(value: object) -> object:
    """Something that can be looked up in a set."""
    return tuple(value) if isinstance(value, list) else value


class _UpTo:
    """A log that ends at an offset."""

    def __init__(self, log: KafkaLog, ends: Mapping[int, int]) -> None:
        self._log, self._ends = log, ends

    @property
    def partitions(self) -> int:
        return self._log.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> int:
        raise NotImplementedError

    async def end(self, partition: int) -> int:
        return self._ends[partition]

    async def read(self, partition: int, start: int) -> AsyncIterator[Sequence[Record]]:
        end = self._ends[partition]
        async for records in self._log.read(partition, start):
            due = [record for record in records if record.offset < end]
            if due:
                yield due
            if records[-1].offset + 1 >= end:
                await asyncio.Event().wait()


async def folded_afresh(
    kafka: str, database: str, ring_file: Path, positions: Mapping[Place, int]
) -> Dump:
    """
    Fold the history from its start, in a new database, up to *positions*.

    Args:
        kafka: Where.
        database: A database on the same server, whose user may create others.
        ring_file: The key ring.
        positions: Where to stop in each partition.
    """
    name = f"afresh_{uuid4().hex[:12]}"
    own = urlunsplit(urlsplit(database)._replace(path=f"/{name}"))
    await _administer(database, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        await _fold(kafka, own, ring_file, positions)
        return await dump(own)
    finally:
        await _administer(database, f"DROP DATABASE {name} WITH (FORCE)")


async def _fold(kafka: str, database: str, ring_file: Path, positions: Mapping[Place, int]) -> None:
    ring = keys.load(ring_file)
    genesis = await broker.generation_of(kafka, topics.EVENTS.name, ring.mac.keys)
    pool = await open_pool(database, largest=20)
    tasks: list[asyncio.Task[None]] = []
    logs: list[KafkaLog | VaultTopic] = []
    try:
        for topic in (topics.EVENTS, topics.STRANGERS):
            log = KafkaLog(kafka, topic.name, genesis.partitions)
            logs.append(log)
            ends = {p: positions.get((topic.name, p), 0) for p in range(genesis.partitions)}
            source = Source(topic.name, _UpTo(log, ends), forgetful=topic is topics.STRANGERS)
            tasks += [
                asyncio.create_task(Projector(pool, source, p, ring.mac.keys).run())
                for p, end in ends.items()
                if end > 0
            ]
        vault = VaultTopic(kafka, topics.VAULT.name, genesis.partitions)
        logs.append(vault)
        await vault.start()
        tasks += [
            asyncio.create_task(VaultProjector(pool, vault, p, ring.encryption).run())
            for p in range(genesis.partitions)
        ]
        due = {place: end for place, end in positions.items() if end > 0}
        async with asyncio.timeout(120):
            while True:
                found = await pool.fetch(_POSITIONS)
                there = {(row["topic"], row["partition"]): row["next_offset"] for row in found}
                if all(there.get(place, -2) >= end for place, end in due.items()):
                    return
                await asyncio.sleep(0.05)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for one in logs:
            await one.close()
        await pool.close()


async def _administer(database: str, statement: str) -> None:
    connection = await asyncpg.connect(database, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def drop(database: str) -> None:
    """Drop *database* while others use it."""
    name = urlsplit(database).path.lstrip("/")
    maintenance = urlunsplit(urlsplit(database)._replace(path="/postgres"))
    await _administer(maintenance, f'DROP DATABASE "{name}" WITH (FORCE)')


async def settled(kafka: str, database: str, within_s: float = 60) -> Dump:
    """A dump taken when everything that stands in Kafka is folded."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while True:
                found = await dump(database)
                ends = await asyncio.to_thread(ends_of, kafka, list(found.positions))
                if all(found.positions[place] >= end for place, end in ends.items() if end):
                    return found
                await asyncio.sleep(0.1)
    raise AssertionError(f"Not folded to the end: {found.positions} of {ends}")


def ends_of(kafka: str, places: Sequence[Place]) -> dict[Place, int]:
    """Where each partition ends now."""
    return {place: bounds(kafka, *place)[1] for place in places}


async def fates_of(database: str, places: Sequence[tuple[int, int]]) -> list[str]:
    """What became of records of the history, by partition and offset, in their log's order."""
    connection = await asyncpg.connect(
        database, server_settings={"search_path": schema.name(), "timezone": "UTC"}
    )
    try:
        found = []
        async with asyncio.timeout(30):
            for partition, offset in sorted(places):
                while True:
                    fate = await connection.fetchval(_FATE, topics.EVENTS.name, partition, offset)
                    if fate is not None:
                        break
                    await asyncio.sleep(0.05)
                found.append(str(fate))
        return found
    finally:
        await connection.close()


_FATE: Final = (
    'SELECT fate FROM recent_record WHERE topic = $1 AND partition = $2 AND "offset" = $3'
)
