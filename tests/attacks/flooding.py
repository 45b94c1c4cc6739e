"""Somebody with one address and many connections: as fast as they are answered, or very slowly."""

import asyncio
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

WRONG = "wrong-wrong-wrong-wrong-1"
HEAD = b"POST /api/login/start HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@dataclass(slots=True)
class Flood:
    """
    Logins as strangers, over so many connections from one address, until it is told to stop.

    Attributes:
        statuses: How many answers had each.
    """

    url: str
    source: str
    connections: int
    statuses: Counter[int] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    async def run(self) -> None:
        """Go on until stopped."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.connections):
                group.create_task(self._again_and_again())

    async def _again_and_again(self) -> None:
        while not self.over.is_set():
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._on_one_connection()

    async def _on_one_connection(self) -> None:
        reader, writer = await _connect(self.url, self.source)
        try:
            while not self.over.is_set():
                username = {"username": f"nobody.{uuid.uuid4()}"}
                _, started = await _post(reader, writer, "/api/login/start", username)
                given = {"login": started["login"], "password": WRONG}
                status, _ = await _post(reader, writer, "/api/login/finish", given)
                self.statuses[status] += 1
        finally:
            writer.close()


@contextmanager
def flooding(url: str, source: str, connections: int) -> Iterator[Flood]:
    """A flood that goes on meanwhile."""
    flood = Flood(url, source, connections)
    thread = threading.Thread(target=lambda: asyncio.run(flood.run()))
    thread.start()
    try:
        yield flood
    finally:
        flood.over.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class Dribble:
    """A connection on which *first* is sent, and then a byte a second."""

    first: bytes
    then: bytes


SLOW_HEAD = Dribble(HEAD + b"x: ", b"a")
SLOW_BODY = Dribble(HEAD + b"content-length: 1000\r\n\r\n", b"a")
SILENT = Dribble(b"", b"")


async def lasts(url: str, source: str, dribble: Dribble, at_most_s: float) -> float:
    """For how many seconds such a connection is kept."""
    reader, writer = await _connect(url, source)
    began = time.monotonic()
    try:
        writer.write(dribble.first)
        with suppress(OSError):
            while time.monotonic() - began < at_most_s and not reader.at_eof():
                writer.write(dribble.then)
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 1)
        return time.monotonic() - began
    finally:
        writer.close()


async def _connect(url: str, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", urlsplit(url).port, local_addr=(source, 0))


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: dict[str, str]
) -> tuple[int, dict[str, str]]:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(answer.partition(b"content-length: ")[2].partition(b"\r")[0])
    return int(answer.split()[1]), json.loads(await reader.readexactly(length))
