"""Serving HTTP until told to stop, so that whoever serves can close in order afterwards."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator
from typing import Any

import uvicorn

from services.foundation import CannotStartError


def listen(host: str, port: int) -> socket.socket:
    """
    Bind *port*, before anything else is opened.

    Raises:
        CannotStartError: It is taken, or the address isn't this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise CannotStartError(
            f"Nothing can listen on {host} port {port} ({error.strerror});"
            " stop what uses it, or give another with --port."
        ) from error
    return bound


async def serve(app: Any, listening: socket.socket) -> None:
    """
    Serve *app* (ASGI) on *listening* until SIGINT or SIGTERM, or until cancelled.

    uvicorn raises the signal again once it has served, which would end the process before anything
    else is closed; here it only returns.
    """
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # Which proxies are believed isn't uvicorn's to decide.
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    await server.serve([listening])


class _Server(uvicorn.Server):
    def stop(self) -> None:
        """Begin to stop."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
