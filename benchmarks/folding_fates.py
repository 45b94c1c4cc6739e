"""Fates folded in this process: the verdict's cost without PostgreSQL, and a floor for it."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Self

from events.acceptance import PartitionState, judge
from events.log.port import EventLog, Seen
from events.records import Fate


class FoldingFates:
    """`Fates` of a log that one process follows from its start."""

    def __init__(self, log: EventLog, keys: Mapping[str, bytes]) -> None:
        self._log, self._keys = log, keys
        self._states = [PartitionState(partition) for partition in range(log.partitions)]
        self._seen: list[dict[str, tuple[Fate, int]]] = [{} for _ in self._states]
        self._waiting: list[dict[int, list[asyncio.Future[None]]]] = [
            defaultdict(list) for _ in self._states
        ]
        self._tails: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tails = [
            asyncio.create_task(self._follow(partition)) for partition in range(len(self._states))
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for tail in self._tails:
            tail.cancel()
        await asyncio.wait(self._tails)

    async def look(self, partition: int, digest: str) -> Seen:
        state = self._states[partition]
        fate, offset = self._seen[partition].get(digest, (None, None))
        return Seen(state.next_offset or 0, state.clock, fate, offset)

    async def passed(self, partition: int, offset: int, within: timedelta) -> bool:
        if (self._states[partition].next_offset or 0) > offset:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[partition][offset].append(waiter)
        try:
            await asyncio.wait_for(waiter, max(within.total_seconds(), 0))
        except TimeoutError:
            return False
        return True

    async def _follow(self, partition: int) -> None:
        state, seen, waiting = (
            self._states[partition], self._seen[partition], self._waiting[partition],
        )  # fmt: skip
        async with aclosing(self._log.read(partition, 0)) as batches:  # type: ignore[type-var]
            async for records in batches:
                for record in records:
                    judged = judge(state, record, self._keys)
                    if judged.fate is Fate.COUNTED or judged.digest not in seen:
                        seen[judged.digest] = judged.fate, record.offset
                    for waiter in waiting.pop(record.offset, ()):
                        if not waiter.done():
                            waiter.set_result(None)
