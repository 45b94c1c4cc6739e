"""How far a rotation of the key-encryption key is, and the proof that nothing is left behind."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from events import topics
from events.keys import RotatingKey
from events.log import clients
from events.log.bulk import bounds, bulk_messages
from events.log.clients import Connection
from events.vault.sealing import SealedEntry
from events.vault.topic import Kept
from services.projections import schema
from services.projections.database import translated
from services.projections.vault_projector import fold

_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """
    Entries of the vault.

    Attributes:
        under: How many, by the id of the key that wraps them.
        key: The key-encryption keys; all are to be under the current one.
    """

    under: Mapping[str, int]
    key: RotatingKey

    @property
    def done(self) -> int:
        """Under the current key."""
        return self.under.get(self.key.current, 0)

    @property
    def left(self) -> int:
        """Under any other of the ring: what is under none of it nobody can wrap anew, or open."""
        return sum(n for name, n in self.under.items() if name in self.key.keys) - self.done


async def watch(
    database: str,
    kafka: Connection | str,
    key: RotatingKey,
    *,
    patience: float,
    show: Callable[[Progress], None],
    topic: str = topics.VAULT.name,
) -> Progress:
    """
    Wait until the keeper has wrapped every entry under the current key, then read the vault itself.

    Args:
        database: PostgreSQL's address, for how far it is.
        kafka: Where, for the proof.
        key: The key-encryption keys.
        patience: Seconds without any progress after which it is given up.
        show: Told whenever it has changed.
        topic: The vault's.

    Returns:
        What the vault's topic holds, read to its end; something is left where it was given up.

    Raises:
        ProjectionUnavailableError: PostgreSQL can't be asked.
        LogUnavailableError: Kafka can't be read.
    """
    loop = asyncio.get_running_loop()
    with translated():
        connection = await asyncpg.connect(
            database, timeout=5, server_settings={"search_path": schema.name()}
        )
        try:
            moved, before = loop.time(), None
            while True:
                now = Progress(await _under(connection), key)
                if now != before:
                    show(now)
                    moved, before = loop.time(), now
                found = now
                if not now.left:
                    found = Progress(await asyncio.to_thread(proof, kafka, key, topic), key)
                    if not found.left:
                        return found
                if loop.time() - moved > patience:
                    return found
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            with suppress(TimeoutError):
                await connection.close(timeout=5)


async def folded(database: str) -> Mapping[str, int]:
    """
    How many entries are folded under each key: what the services open.

    Raises:
        ProjectionUnavailableError: PostgreSQL can't be asked.
    """
    with translated():
        connection = await asyncpg.connect(
            database, timeout=5, server_settings={"search_path": schema.name()}
        )
        try:
            return await _under(connection)
        finally:
            with suppress(TimeoutError):
                await connection.close(timeout=5)


async def _under(connection: asyncpg.Connection) -> Mapping[str, int]:
    return {row["key_id"]: row["entries"] for row in await connection.fetch(_UNDER)}


def proof(
    kafka: Connection | str, key: RotatingKey, topic: str = topics.VAULT.name
) -> dict[str, int]:
    """
    How many entries the vault's topic holds under each key, read from its start to its end.

    Blocking. It relies on nothing that is stored elsewhere; what is no entry, and what would change
    one, is passed over as every reader of the vault passes it over.

    Raises:
        LogUnavailableError: Kafka can't be read.
    """
    found: Counter[str] = Counter()
    count = len(clients.admin(kafka).list_topics(topic, timeout=10).topics[topic].partitions)
    for partition in range(count):
        there: dict[str, bytes] = {}
        low, end = bounds(kafka, topic, partition)
        for messages in bulk_messages(kafka, topic, partition, low, end):
            for one in messages:
                kept = Kept(one.offset() or 0, one.timestamp()[1], one.key(), one.value())
                fold(there, kept, key)
        found.update(SealedEntry.from_bytes(value).key_id for value in there.values())
    return dict(found)


_UNDER = "SELECT key_id, count(*) AS entries FROM vault_entry GROUP BY key_id"
