"""Ports on 127.0.0.1, chosen so that a stopped server finds its own again."""

import random
import socket

from infra.local.errors import PortTakenError

LOOPBACK = "127.0.0.1"

# Below the ports that the system gives to clients (32768 and up on Linux): a client that redials a
# stopped server in that range can be given the server's own port, and then talks to itself.
_FIRST, _LAST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Say whether nothing listens on *port* of 127.0.0.1."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Choose a port that is free now. Nothing holds it until its server listens."""
    choose = random.SystemRandom()
    while True:
        port = choose.randint(_FIRST, _LAST)
        if is_free(port):
            return port


def claim(port: int | None, server: str, setting: str) -> int:
    """
    Give back *port*, or a free one where it is None.

    Args:
        port: The port asked for.
        server: Who wants it, for the message.
        setting: What a person sets to choose another port, for the message.

    Raises:
        PortTakenError: Something listens there.
    """
    if port is None:
        return free_port()
    if not is_free(port):
        raise PortTakenError(
            f"Port {port} on {LOOPBACK}, wanted by {server}, is taken by another program: "
            f"stop that program, or choose another port with {setting}."
        )
    return port
