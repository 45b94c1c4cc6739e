"""How the projections stand, for operators: read without touching them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import asyncpg
from confluent_kafka import KafkaException

from events import topics
from events.log.bulk import bounds
from events.log.clients import Connection, admin
from events.log.reach import away
from services.projections import schema
from services.projections.database import SETTINGS, translated

FOLDED: Final = (topics.EVENTS.name, topics.STRANGERS.name, topics.VAULT.name)


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """
    One partition.

    Attributes:
        next_offset: Everything before it is folded; None where nothing is.
        end: The log's.
        clock: The partition's monotone time as folded; None for a topic without one.
        halted: Why it isn't folded on; None: it is.
        quarantined: How many of its records were malformed or forged.
        oldest_key: Number of the oldest MAC key that still counts in it; 0: any.
    """

    topic: str
    partition: int
    next_offset: int | None
    end: int
    clock: datetime | None
    generation: str
    halted: str | None
    quarantined: int
    oldest_key: int

    @property
    def lag(self) -> int:
        """Records that aren't folded yet."""
        return max(self.end - max(self.next_offset or 0, 0), 0)


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """Who does a thing that one process at a time does."""

    name: str
    owner: str
    until: datetime
    held: bool


@dataclass(frozen=True, slots=True)
class ProjectionsStatus:
    """
    All of it, read at one moment.

    Attributes:
        schema: The one that this code reads.
        there: Whether it exists.
    """

    schema: str
    there: bool
    partitions: list[PartitionStatus]
    leases: list[LeaseStatus]

    @classmethod
    async def read(cls, database: str, kafka: Connection | str) -> Self:
        """
        Read it.

        Raises:
            ProjectionUnavailableError: PostgreSQL is away.
            LogUnavailableError: Kafka is away.
        """
        ends = _ends(kafka)
        with translated():
            connection = await asyncpg.connect(database, timeout=5, server_settings=SETTINGS)
            try:
                there = await connection.fetchval(
                    "SELECT to_regnamespace($1) IS NOT NULL", schema.name()
                )
                if not there:
                    return cls(schema.name(), there=False, partitions=_nothing(ends), leases=[])
                await connection.execute(f"SET search_path TO {schema.name()}")
                rows = await connection.fetch(_PARTITIONS)
                leases = await connection.fetch(_LEASES)
            finally:
                await connection.close(timeout=5)
        known = {(row["topic"], row["partition"]): row for row in rows}
        partitions = [
            _status(topic, partition, end, known.get((topic, partition)))
            for (topic, partition), end in sorted(ends.items())
        ]
        held = [LeaseStatus(**dict(row)) for row in leases]
        return cls(schema.name(), there=True, partitions=partitions, leases=held)


def _ends(kafka: Connection | str) -> dict[tuple[str, int], int]:
    try:
        found = admin(kafka).list_topics(timeout=5).topics
    except KafkaException as error:
        raise away(kafka, error) from error
    return {
        (topic, partition): bounds(kafka, topic, partition)[1]
        for topic in FOLDED
        if topic in found
        for partition in found[topic].partitions
    }


def _nothing(ends: dict[tuple[str, int], int]) -> list[PartitionStatus]:
    return [_status(topic, partition, end, None) for (topic, partition), end in ends.items()]


def _status(topic: str, partition: int, end: int, row: asyncpg.Record | None) -> PartitionStatus:
    if row is None:
        return PartitionStatus(topic, partition, None, end, None, "", None, 0, 0)
    return PartitionStatus(
        topic,
        partition,
        row["next_offset"],
        end,
        row["clock"],
        row["generation"],
        row["reason"],
        row["quarantined"],
        row["oldest_key"],
    )


_PARTITIONS: Final = """
    SELECT p.topic, p.partition, p.next_offset, p.clock, p.generation, p.oldest_key, h.reason,
           (SELECT count(*) FROM quarantine q
             WHERE q.topic = p.topic AND q.partition = p.partition) AS quarantined
      FROM partition_state p LEFT JOIN halt h USING (topic, partition)
"""

_LEASES: Final = """
    SELECT name, owner, until, until > clock_timestamp() AS held
      FROM (SELECT * FROM lease UNION ALL SELECT * FROM notify_lease) AS lease ORDER BY name
"""
