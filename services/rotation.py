"""How far a rotation of the key-encryption key is, and the proof that nothing is left behind."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from events import topics
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
        current: The id of the key that all are to be under.
    """

    under: Mapping[str, int]
    current: str

    @property
    def done(self) -> int:
        """Under the current key."""
        return self.under.get(self.current, 0)

    @property
    def left(self) -> int:
        """Under any other."""
        return sum(self.under.values()) - self.done


async def watch(
    database: str,
    kafka: Connection | str,
    current: str,
    *,
    patience: float,
    show: Callable[[Progress], None],
) -> Progress:
    """
    Wait until the keeper has wrapped every entry under *current*, then read the vault itself.

    Args:
        database: PostgreSQL's address, for how far it is.
        kafka: Where, for the proof.
        current: The id of the key-encryption key.
        patience: Seconds without any progress after which it is given up.
        show: Told whenever it has changed.

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
                rows = await connection.fetch(_UNDER)
                now = Progress({row["key_id"]: row["entries"] for row in rows}, current)
                if now != before:
                    show(now)
                    moved, before = loop.time(), now
                if not now.left:
                    proved = Progress(await asyncio.to_thread(proof, kafka), current)
                    if not proved.left:
                        return proved
                if loop.time() - moved > patience:
                    return now
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            with suppress(TimeoutError):
                await connection.close(timeout=5)


def proof(kafka: Connection | str, topic: str = topics.VAULT.name) -> dict[str, int]:
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
                fold(there, Kept(one.offset() or 0, one.timestamp()[1], one.key(), one.value()))
        found.update(SealedEntry.from_bytes(value).key_id for value in there.values())
    return dict(found)


_UNDER = "SELECT key_id, count(*) AS entries FROM vault_entry GROUP BY key_id"
