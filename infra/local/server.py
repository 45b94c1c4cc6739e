"""What a server of this machine's own can be told, whichever it is."""

from infra.local.errors import ServerFailedError
from infra.local.processes import Process


class LocalServer:
    """
    A server in a process of its own.

    Attributes:
        name: What people call it.
        port: Where clients connect, on 127.0.0.1.
    """

    name: str

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: Process | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def pid(self) -> int:
        """
        The server's process id.

        Raises:
            ServerFailedError: It was not started.
        """
        if self._process is None:
            raise ServerFailedError(f"{self.name} was not started.")
        return self._process.pid

    def stop(self) -> None:
        """Stop it in good order; its clients lose their connections."""
        if self._process is not None:
            self._process.stop(timeout=20)

    def kill(self) -> None:
        """End it, and what it started, as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()

    def pause(self) -> None:
        """Freeze it: connections stay, answers don't come."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Let it go on after a freeze."""
        if self._process is not None:
            self._process.resume()
