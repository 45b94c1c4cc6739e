"""Serving HTTP until told to stop, so that whoever serves can close in order afterwards."""

import asyncio
import contextlib
import functools
import math
import signal
import socket
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import uvicorn

from services.foundation import CannotStartError
from services.web.connections import Connection, Crowd, Limits

ANY_PORT: Final = ("127.0.0.1", 0)
"""Any port that is free, for this machine alone."""


@dataclass(frozen=True, slots=True)
class Served:
    """An application (ASGI), what it listens on, and what its connections may take."""

    app: Any
    listening: socket.socket
    limits: Limits = field(default_factory=Limits)


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """
    Bind *port* (0: any that is free), before anything else is opened.

    Args:
        host: An address of this machine.
        port: Likewise.
        option: Which option of the command line gives another port.

    Raises:
        CannotStartError: It is taken, or the address isn't this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its protocol asyncio knows that it may turn off Nagle's algorithm, which costs 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise CannotStartError(
            f"Nothing can listen on {host} port {port} ({error.strerror});"
            f" stop what uses it, or give another with {option}."
        ) from error
    return bound


@contextlib.contextmanager
def listen_twice(
    everybody: tuple[str, int], operators: tuple[str, int]
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """
    Bind what a service listens on: for everybody, and for whoever runs it.

    Raises:
        CannotStartError: One can't be.
    """
    with (
        contextlib.closing(listen(*everybody)) as outer,
        contextlib.closing(listen(*operators, "--metrics-port")) as inner,
    ):
        yield outer, inner


async def serve(*served: Served) -> None:
    """
    Serve until SIGINT or SIGTERM, or until cancelled; what is under way is answered first.

    uvicorn raises the signal again once it has served, which would end the process before anything
    else is closed; here it only returns.
    """
    servers = [_Server(_config(one)) for one in served]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, _SERVING)
    _SERVING.update(servers)
    both = zip(servers, served, strict=True)
    running = asyncio.gather(*(server.serve([one.listening]) for server, one in both))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        _stop(set(servers))
        await running
        raise
    finally:
        _SERVING.difference_update(servers)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


_SERVING: Final[set[_Server]] = set()
"""All that serve in this process: a signal is for each of them."""


def _stop(servers: set[_Server]) -> None:
    for server in servers:
        server.should_exit = True


def _config(served: Served) -> uvicorn.Config:
    return uvicorn.Config(
        served.app,
        http=functools.partial(Connection, Crowd(served.limits)),  # type: ignore[arg-type] # One.
        ws="none",
        timeout_keep_alive=math.ceil(served.limits.idle_s),  # `Connection` sees to it.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # Which proxies are believed isn't uvicorn's to decide.
    )
