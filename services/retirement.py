"""Retiring old MAC keys: what they signed counts, what they sign from then on doesn't."""

from functools import partial
from uuid import uuid4

import asyncpg

from events import streams, topics
from events.key_id import number
from events.keys import KeyRing
from events.log import broker
from events.log.clients import Connection
from events.log.kafka import KafkaLog
from events.log.proposal import Draft, Proposal, Signer
from events.log.writer import Decided, Writer
from events.marks import OlderKeysRetired
from services.projections.database import open_pool, translated
from services.projections.fates import PgFates
from services.projections.port import ProjectionUnavailableError


async def retire(database: str, kafka: Connection, ring: KeyRing) -> list[int]:
    """
    Retire every MAC key that is older than the current one, in each partition of the history.

    Args:
        database: PostgreSQL's address, for streams' heads and what became of records.
        kafka: Where the history is.
        ring: Its current MAC key signs.

    Returns:
        The partitions in which something was left to retire.

    Raises:
        ProjectionUnavailableError: PostgreSQL can't be asked.
        LogUnavailableError: Kafka can't be written.
        NotDoneError: Somebody else was faster each time.
        OutcomeUnknownError: Nothing is folded just now; once it is, the same again is safe.
    """
    topic = topics.EVENTS.name
    count = (await broker.generation_of(kafka, topic, ring.mac.keys)).partitions
    signer = Signer("twofold/keys", ring.mac.current, ring.mac.key, count)
    pool = await open_pool(database, largest=2)
    try:
        async with KafkaLog(kafka, topic, count) as log, PgFates(database, pool, topic) as fates:
            writer, done = Writer(log, fates, signer), list[int]()
            for partition in range(count):
                decide = partial(_decide, pool, topic, partition, number(ring.mac.current))
                retired, _ = await writer.settle(streams.log(partition), decide)
                if retired:
                    done.append(partition)
            return done
    finally:
        await pool.close()


async def _decide(pool: asyncpg.Pool, topic: str, partition: int, current: int) -> Decided[bool]:
    stream, event_id = streams.log(partition), str(uuid4())
    with translated():
        row = await pool.fetchrow(_STANDING, topic, partition, stream)
    if row is None or row["next_offset"] == 0:
        raise ProjectionUnavailableError("The history isn't folded yet; start twofold project.")
    if row["oldest_key"] >= current:
        return Decided(answer=False)
    proposal = Proposal(
        drafts=[Draft(stream, OlderKeysRetired())],
        basis=(),
        heads={stream: row["head"]},
        clock=row["clock"],
        event_id=event_id,
        actor="system",
        correlation_id=event_id,
    )
    return Decided(answer=True, proposal=proposal)


_STANDING = """
    SELECT next_offset, oldest_key, clock,
           (SELECT digest FROM stream_head WHERE stream = $3) AS head
      FROM partition_state WHERE topic = $1 AND partition = $2
"""
