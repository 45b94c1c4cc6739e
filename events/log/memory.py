"""A log in memory, judged as it is appended: for tests of what stands on a log."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from events.acceptance import Judged, PartitionState, judge
from events.log.port import Seen
from events.moments import to_milliseconds
from events.records import Fate, Record


class MemoryLog:
    """An `EventLog` with its `Fates`; every acknowledged record is already folded."""

    def __init__(
        self,
        keys: Mapping[str, bytes],
        partitions: int = 1,
        *,
        forgetful: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            keys: The writers' MAC keys.
            partitions: How many; each is empty, without a genesis.
            forgetful: A topic without genesis records.
            clock: The broker's.
        """
        self.partitions = partitions
        self.judged: list[list[Judged]] = [[] for _ in range(partitions)]
        self._keys, self._clock = keys, clock
        self._states = [
            PartitionState(
                partition, partitions=partitions if forgetful else 0, forgetful=forgetful
            )
            for partition in range(partitions)
        ]
        self._grown = asyncio.Condition()

    async def append(self, partition: int, values: Sequence[bytes]) -> int:
        state, judged = self._states[partition], self.judged[partition]
        first, now = len(judged), to_milliseconds(self._clock())
        for offset, value in enumerate(values, start=first):
            judged.append(judge(state, Record(offset, now, value), self._keys))
        async with self._grown:
            self._grown.notify_all()
        return first

    async def end(self, partition: int) -> int:
        return len(self.judged[partition])

    async def read(self, partition: int, start: int) -> AsyncIterator[Sequence[Record]]:
        judged = self.judged[partition]
        while True:
            records = [one.record for one in judged[start:]]
            if records:
                start += len(records)
                yield records
                continue
            async with self._grown:
                if len(judged) == start:
                    await self._grown.wait()

    async def look(self, partition: int, digest: str) -> Seen:
        copies = [one for one in self.judged[partition] if one.digest == digest]
        counted = [one for one in copies if one.fate is Fate.COUNTED]
        found = next(iter(counted or copies), None)
        return Seen(
            next_offset=len(self.judged[partition]),
            clock=self._states[partition].clock,
            fate=found.fate if found else None,
            offset=found.record.offset if found else None,
        )

    async def passed(self, partition: int, offset: int, within: timedelta) -> bool:
        try:
            async with asyncio.timeout(max(within.total_seconds(), 0)), self._grown:
                await self._grown.wait_for(lambda: len(self.judged[partition]) > offset)
        except TimeoutError:
            return False
        return True
