"""Somebody with one address and many connections: as fast as they are answered, or very slowly."""

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

WRONG = "wrong-wrong-wrong-wrong-1"
KIB_EACH = 60
HEAD = b"POST /api/login/start HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@contextmanager
def flooding(url: str, source: str, connections: int, *, with_logins: bool) -> Iterator[None]:
    """
    A flood that goes on meanwhile, from a process of its own.

    Args:
        url: Of the service.
        source: Address of this machine that it comes from.
        connections: How many ask, each again once it is answered.
        with_logins: As strangers; otherwise for the login's page, which costs next to nothing.
    """
    told = [url, source, str(connections), "logins" if with_logins else "pages"]
    command = [sys.executable, "-m", "tests.attacks.flooding", *told]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"It floods.\n"
            yield
            assert process.poll() is None, "it ended by itself"
        finally:
            process.kill()


async def _flood(url: str, source: str, connections: int, ask: "_Ask") -> None:
    asking = asyncio.Barrier(connections + 1)

    async def again_and_again() -> None:
        reader, writer = await _connect(url, source)
        await asking.wait()
        while True:
            await ask(reader, writer)

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(again_and_again())
        await asking.wait()
        print("It floods.", flush=True)  # noqa: T201 -- Who started it waits for that.


async def _log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    username = {"username": f"nobody.{uuid.uuid4()}"}
    _, started = await _post(reader, writer, "/api/login/start", username)
    given = {"login": started["login"], "password": WRONG}
    await _post(reader, writer, "/api/login/finish", given)


async def _look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /login HTTP/1.1\r\nhost: x\r\n\r\n")
    await _answer(reader)


_Ask = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


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


async def abandoned(url: str, source: str, login: str, many: int) -> None:
    """Tries to log in, each with `KIB_EACH` of white space, by who hangs up at once."""

    async def ask(_: int) -> None:
        writer = (await _connect(url, source))[1]
        body = json.dumps({"login": login, "password": WRONG}).encode().ljust(KIB_EACH * 1024)
        head = "POST /api/login/finish HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        with suppress(OSError):
            await writer.drain()
        writer.close()

    for start in range(0, many, 100):
        await asyncio.gather(*map(ask, range(start, min(start + 100, many))))


async def _connect(url: str, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", urlsplit(url).port, local_addr=(source, 0))


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: dict[str, str]
) -> tuple[int, dict[str, str]]:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
    status, answer = await _answer(reader)
    return status, json.loads(answer)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
    return int(head.split()[1]), await reader.readexactly(length)


if __name__ == "__main__":
    url, source, connections, kind = sys.argv[1:]
    ask = _log_in if kind == "logins" else _look
    asyncio.run(_flood(url, source, int(connections), ask))
