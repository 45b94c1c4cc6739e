"""
A TCP proxy between a service and Kafka that loses acknowledgements, or holds requests back.

The broker's answers name its address to its clients; the proxy puts its own there, which is as
long, so that every connection comes through it.
"""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

_PRODUCE = 0  # Kafka's API key.

Mode = Literal["pass", "lose_acknowledgement", "cut_at_acknowledgement", "lose_request", "hold"]
"""
What becomes of produce requests: passed on; answered by nothing; answered by a closed connection;
never passed on; held back until `Proxy.release`.
"""


@dataclass(slots=True)
class Proxy:
    """
    Runs on a thread and a loop of its own.

    Attributes:
        port: Where it listens.
        caught: How many produce requests, or their acknowledgements, were interfered with.
    """

    broker: int
    port: int = 0
    caught: int = 0
    _mode: Mode = "pass"
    _wanted: bytes = b""
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def interfere(self, mode: Mode, wanted: str = "") -> None:
        """From now on, do that to produce requests that hold *wanted*."""
        self._call(self._interfere, mode, wanted.encode())

    def release(self) -> None:
        """Pass on what is held, and interfere no more."""
        self._call(self._interfere, "pass", b"")

    def _interfere(self, mode: Mode, wanted: bytes) -> None:
        self._released.set()
        self._mode, self._wanted, self._released = mode, wanted, asyncio.Event()
        self.caught = 0

    def _call(self, work: Any, *arguments: Any) -> None:
        assert self._loop is not None
        done: Future[None] = Future()

        def run() -> None:
            work(*arguments)
            done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(5)

    async def serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        """Listen until *ended*."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()
        for writer in list(self._connections):
            writer.close()

    async def _connected(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            broker, on = await asyncio.open_connection("127.0.0.1", self.broker)
        except OSError:
            back.close()
            return
        self._connections |= {back, on}
        lost: dict[int, Mode] = {}
        both = (
            asyncio.create_task(self._requests(client, on, lost)),
            asyncio.create_task(self._answers(broker, back, lost)),
        )
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.wait(both)
        for writer in (back, on):
            writer.close()
            self._connections.discard(writer)

    async def _requests(
        self, client: asyncio.StreamReader, on: asyncio.StreamWriter, lost: dict[int, Mode]
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await _frame(client)
                if int.from_bytes(frame[:2]) == _PRODUCE and self._wanted in frame:
                    mode = self._mode
                    if mode != "pass":
                        self.caught += 1
                    if mode == "lose_request":
                        continue
                    if mode == "hold":
                        await self._released.wait()
                    elif mode != "pass":
                        lost[int.from_bytes(frame[4:8])] = mode
                on.write(len(frame).to_bytes(4) + frame)
                await on.drain()

    async def _answers(
        self, broker: asyncio.StreamReader, back: asyncio.StreamWriter, lost: dict[int, Mode]
    ) -> None:
        own = b"127.0.0.1" + self.port.to_bytes(4)
        theirs = b"127.0.0.1" + self.broker.to_bytes(4)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await _frame(broker)
                match lost.pop(int.from_bytes(frame[:4]), "pass"):
                    case "lose_acknowledgement":
                        continue
                    case "cut_at_acknowledgement":
                        return
                frame = frame.replace(theirs, own)
                back.write(len(frame).to_bytes(4) + frame)
                await back.drain()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer, without the four bytes that say how long it is."""
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4)))


@contextmanager
def proxy_to(broker: str) -> Iterator[Proxy]:
    """Give a proxy to the broker at *broker*, ``127.0.0.1:port``."""
    proxy, ready = Proxy(int(broker.rpartition(":")[2])), threading.Event()
    ended = asyncio.Event()

    def run() -> None:
        with asyncio.Runner() as runner:
            proxy._loop = runner.get_loop()
            runner.run(proxy.serve(ready, ended))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        yield proxy
    finally:
        assert proxy._loop is not None
        proxy._loop.call_soon_threadsafe(ended.set)
        thread.join(10)
