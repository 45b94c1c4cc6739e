"""The socket that a service listens on, or one sentence about why it can't."""

import socket

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
