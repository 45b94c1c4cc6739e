"""Which partition something lives in: the counts that the topics were made with, as folded."""

from typing import Final

import asyncpg

from events import topics
from events.streams import partition_for_key
from services.projections.database import translated
from services.projections.port import ProjectionUnavailableError


class Topology:
    """Partitions by key, for the history and the strangers' topic; counts never change."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        events: str = topics.EVENTS.name,
        strangers: str = topics.STRANGERS.name,
    ) -> None:
        self.events: Final = events
        self.strangers: Final = strangers
        self._pool = pool
        self._counts: dict[str, int] = {}

    async def event_partition(self, key: str) -> int:
        """
        The partition of an organisation's, or a username's, events.

        Raises:
            ProjectionUnavailableError: No genesis has been folded yet.
        """
        return partition_for_key(key.encode(), await self._count(self.events))

    async def stranger_partition(self, username_digest: str) -> int:
        """
        The partition of a stranger.

        Raises:
            ProjectionUnavailableError: The projector hasn't run yet.
        """
        return partition_for_key(username_digest.encode(), await self._count(self.strangers))

    async def _count(self, topic: str) -> int:
        count = self._counts.get(topic)
        if count is None:
            with translated():
                count = await self._pool.fetchval(
                    "SELECT max(partitions) FROM partition_state WHERE topic = $1", topic
                )
            if not count:
                raise ProjectionUnavailableError("Nothing is folded yet.")
            self._counts[topic] = count
        return count
