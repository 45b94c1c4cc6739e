"""Whoever is at the other end of a connection, and a server with limits of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import StreamingResponse

from services.web.connections import CUT, Limits
from services.web.plumbing import REQUESTS, Plumbing
from services.web.problems import handle_problems
from services.web.serving import Served, listen, serve

WITHIN_S = 10.0
LARGE = 20_000_000
"""More than what systems keep for a reader who doesn't read."""


@dataclass(slots=True)
class Server:
    """
    A server, from outside.

    Attributes:
        answer: What lets `/later` answer.
        waiting: How many wait for that.
    """

    port: int
    answer: asyncio.Event
    waiting: asyncio.Semaphore
    peers: list["Peer"] = field(default_factory=list)

    async def connect(self, source: str = "127.0.0.1") -> "Peer":
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(source, 0)
        )
        self.peers.append(Peer(reader, writer))
        return self.peers[-1]


@dataclass(slots=True)
class Peer:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> int:
        """The status of the next answer."""
        async with asyncio.timeout(WITHIN_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await self.reader.readexactly(length)
        return int(head.split()[1])

    async def asks(self, path: str = "/now") -> int:
        await self.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        return await self.answer()

    async def is_cut(self) -> bytes:
        """What still comes until the connection is over."""
        got = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WITHIN_S):
                while chunk := await self.reader.read(65536):
                    got += chunk
        return got

    async def dribble(self, what: bytes = b"a") -> None:
        """Send one byte again and again, until that is no longer possible."""
        with contextlib.suppress(ConnectionError):
            while not self.reader.at_eof():
                await self.send(what)
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(limits: Limits) -> AsyncIterator[Server]:
    answer, waiting = asyncio.Event(), asyncio.Semaphore(0)
    router = APIRouter()

    @router.get("/now")
    async def now() -> str:
        return "now"

    @router.get("/later")
    async def later() -> str:
        waiting.release()
        await answer.wait()
        return "later"

    @router.get("/large")
    async def large() -> str:
        return "x" * LARGE

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter(["x" * 50_000] * (LARGE // 50_000)))

    @router.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    app = FastAPI()
    app.include_router(router)
    handle_problems(app)
    listening = listen("127.0.0.1", 0)
    plumbed = Plumbing(app, service="test")
    running = asyncio.create_task(serve(Served(plumbed, listening, limits)))
    server = Server(listening.getsockname()[1], answer, waiting)
    async with asyncio.timeout(WITHIN_S):
        while not server.peers:
            with contextlib.suppress(ConnectionError):
                await server.connect()
            await asyncio.sleep(0.01)
    server.peers.pop().writer.close()
    try:
        yield server
    finally:
        answer.set()
        running.cancel()
        await asyncio.wait({running})
        for peer in server.peers:
            peer.writer.close()


def cut(why: str) -> float:
    return float(CUT.labels(why)._value.get())


def unanswered() -> float:
    """How many requests were let go before any answer."""
    return float(REQUESTS.labels("test", "GET", "0")._value.get())
