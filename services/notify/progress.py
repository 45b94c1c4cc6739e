"""
Progress as Kafka consumer-group offsets, without a group's members: partitions are taken by hand.

They live outside PostgreSQL, so that a database that is dropped and folded again sends nothing
twice. What is postponed stands in the offset's metadata, of which Kafka takes 4,096 bytes: items
``<offset>`` or ``<offset>:<staff id>``, separated by spaces.
"""

import re
import time
from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from events.log.clients import Connection, consumer, stop
from events.log.port import LogUnavailableError
from events.streams import UUID
from services.notify.ports import MOST_POSTPONED, Kept, Postponed

log = structlog.get_logger()

_ITEM: Final = re.compile(rf"([0-9]{{1,19}})(?::({UUID}))?")

_COMMIT_AGAIN: Final = 3600.0
"""Seconds after which an unchanged offset is committed again: Kafka forgets idle ones in a week."""


class GroupProgress:
    """A `Progress`. One process at a time may use a group: whoever holds its lease."""

    def __init__(self, kafka: Connection | str, *, group: str, topic: str) -> None:
        """
        Args:
            kafka: Where.
            group: Names the offsets: ``twofold.notify``, ``twofold.status``.
            topic: Whose partitions.
        """
        self._consumer: AIOKafkaConsumer = consumer(kafka, group=group)
        self._group, self._topic = group, topic
        self._committed: dict[int, tuple[Kept, float]] = {}

    async def start(self, partitions: int) -> None:
        """
        Connect.

        Raises:
            LogUnavailableError: Kafka is away.
        """
        try:
            await self._consumer.start()
        except KafkaError as error:
            raise LogUnavailableError(f"Kafka can't be reached: {error}") from error
        self._consumer.assign([TopicPartition(self._topic, p) for p in range(partitions)])
        # Nothing is read with this client: paused, it fetches nothing.
        self._consumer.pause(*self._consumer.assignment())

    async def stop(self) -> None:
        await stop(self._consumer)

    async def load(self, partition: int) -> Kept | None:
        place = TopicPartition(self._topic, partition)
        # aiokafka's own `committed` gives the offset alone.
        coordinator = self._consumer._coordinator  # noqa: SLF001
        try:
            found = (await coordinator.fetch_committed_offsets([place])).get(place)
        except KafkaError as error:
            raise LogUnavailableError(f"The offsets can't be read: {error}") from error
        if found is None:
            return None
        postponed, unreadable = read(found.metadata or "", int(found.offset))
        if unreadable:
            log.warning(
                "progress.unreadable", group=self._group, partition=partition, items=unreadable
            )
        return Kept(int(found.offset), postponed)

    async def save(self, partition: int, kept: Kept) -> None:
        known, since = self._committed.get(partition, (None, 0.0))
        if known == kept and time.monotonic() - since < _COMMIT_AGAIN:
            return
        place = TopicPartition(self._topic, partition)
        try:
            await self._consumer.commit({place: (kept.next_offset, write(kept.postponed))})
        except KafkaError as error:
            raise LogUnavailableError(f"The offset can't be committed: {error}") from error
        self._committed[partition] = kept, time.monotonic()


def write(postponed: Iterable[Postponed]) -> str:
    """An offset's metadata, as `read` takes it."""
    return " ".join(
        f"{one.offset}:{one.staff_id}" if one.staff_id else f"{one.offset}" for one in postponed
    )


def read(metadata: str, next_offset: int) -> tuple[tuple[Postponed, ...], int]:
    """
    What `write` wrote, whoever may have written something else there.

    Nothing is postponed that isn't tried yet: only the event at *next_offset* may be told to some.

    Returns:
        The postponed mails, and how many items are no such thing, or too many.
    """
    items = metadata.split()
    matches = [match for item in items if (match := _ITEM.fullmatch(item))]
    found = [Postponed(int(match[1]), match[2]) for match in matches]
    postponed = tuple(
        one
        for one in found
        if one.offset < next_offset or (one.offset == next_offset and one.staff_id is not None)
    )[:MOST_POSTPONED]
    return postponed, len(items) - len(postponed)
