"""
One appender per partition: packs whatever waits into the next record batch, one batch in flight.

A partition takes a batch whole or not at all, so a decision's events are never split; and many
small requests at once would starve each other until they time out (aiokafka#528).
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from events import streams
from events.envelope import CONTENT_TYPE
from events.log.clients import MAX_BATCH_BYTES
from events.log.port import AppendUnknownError, LogUnavailableError

HEADERS: Final = [("content-type", CONTENT_TYPE.encode())]
_ROOM: Final = MAX_BATCH_BYTES - 61
"""What Kafka's batch header (format 2) leaves for records."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to be: its key, and its exact bytes; None for a tombstone."""

    key: bytes | None
    value: bytes | None

    @property
    def size(self) -> int:
        """Bytes that it takes in a batch, at most."""
        size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(self.key, self.value, HEADERS)
        return size


@dataclass(frozen=True, slots=True)
class _Waiter:
    entries: Sequence[Entry]
    size: int
    offset: asyncio.Future[int]


class Appender:
    """Appends to one partition, in the order of asking."""

    def __init__(self, send: Callable[[Sequence[Entry]], Awaitable[int]]) -> None:
        """
        Args:
            send: Puts one batch into the partition and gives its first offset; raises
                `LogUnavailableError` or `AppendUnknownError`.
        """
        self._send = send
        self._waiting: deque[_Waiter] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def append(self, values: Sequence[bytes]) -> int:
        """
        Append *values* side by side.

        Returns:
            Offset of the first of them.

        Raises:
            ValueError: They don't fit into one batch.
            LogUnavailableError: Nothing was sent.
            AppendUnknownError: It was sent, and no acknowledgement came.
        """
        entries = [Entry(_key(value), value) for value in values]
        size = sum(entry.size for entry in entries)
        if not entries or size > _ROOM:
            raise ValueError("A decision's events must be some, and fit into one batch.")
        offset: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiter(entries, size, offset))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await offset

    async def close(self) -> None:
        """Give up what waits; what is in flight is unknown to its waiters."""
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        while self._waiting:
            _fail(self._waiting.popleft(), LogUnavailableError("The log was closed."))

    async def _work(self) -> None:
        while group := self._next_group():
            try:
                first = await self._send([entry for one in group for entry in one.entries])
            except Exception as error:  # noqa: BLE001 # Whoever waits must hear of it, whatever it is.
                for waiter in group:
                    _fail(waiter, error)
                continue
            except asyncio.CancelledError:
                for waiter in group:
                    _fail(waiter, AppendUnknownError("The log was closed."))
                raise
            for waiter in group:
                if not waiter.offset.done():
                    waiter.offset.set_result(first)
                first += len(waiter.entries)

    def _next_group(self) -> list[_Waiter]:
        """Whoever waits and still wants to, as many as fit into one batch."""
        group: list[_Waiter] = []
        left = _ROOM
        while self._waiting and self._waiting[0].size <= left:
            waiter = self._waiting.popleft()
            if not waiter.offset.done():
                group.append(waiter)
                left -= waiter.size
        return group


def _fail(waiter: _Waiter, error: Exception) -> None:
    if not waiter.offset.done():
        # One exception raised in many tasks would grow one traceback for all of them.
        waiter.offset.set_exception(type(error)(*error.args))


def _key(value: bytes) -> bytes | None:
    try:
        return streams.key_of(json.loads(value)["subject"])
    except (ValueError, KeyError, TypeError):
        return None
