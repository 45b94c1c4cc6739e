"""Processes that we start, watch and end: by their own process ids, and never anything else's."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from infra.local.errors import ServerFailedError
from infra.local.process_ids import Identity, kill_tree, primary_group, signal_process, tree

_TICK = 0.05  # Seconds between two looks at a process that is starting or ending.


class Process:
    """
    One program in its own process group, its output in a log file.

    A terminal's Ctrl-C doesn't reach it: whoever started it ends it, in the order that it wants.

    Args:
        name: For messages.
        command: Program and arguments; no shell reads them.
        log: The file that gets standard output and error, appended to.
        env: Added to this process's own environment.
        cwd: The folder that it starts in.
        user: The user that it runs as, where this process may change that (root).
        pid_file: Where its identity is kept, so that a later start can end what was left over.
        stop_signal: What asks it to end in good order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        pid_file: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.env = dict(env or {})
        self.cwd = cwd
        self.user = user
        self.pid_file = pid_file
        self.stop_signal = stop_signal
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """
        The process id.

        Raises:
            ServerFailedError: It was not started.
        """
        if self._popen is None:
            raise ServerFailedError(f"{self.name} was not started.")
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit status; None while it runs or before it was started."""
        return None if self._popen is None else self._popen.poll()

    def start(self) -> Self:
        """Start it. Returns at once; `wait_for_url` or `wait_for_line` wait until it is ready."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                start_new_session=True,
                user=self.user,
                extra_groups=None if self.user is None else [],
                group=None if self.user is None else primary_group(self.user),
            )
        identity = Identity.of(self._popen.pid)
        if self.pid_file is not None and identity is not None:
            identity.write(self.pid_file)
        return self

    def output(self) -> str:
        """Give what it has written since it was last started."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def wait_for_url(self, url: str, *, timeout: float = 30) -> None:
        """
        Wait until *url* answers 200.

        Raises:
            ServerFailedError: It ended, or *timeout* seconds passed.
        """
        end = time.monotonic() + timeout
        while not _answers(url):
            self.still_starting(end)

    def wait_for_line(self, text: str, *, timeout: float = 30) -> None:
        """
        Wait until its output holds *text*.

        Raises:
            ServerFailedError: It ended, or *timeout* seconds passed.
        """
        end = time.monotonic() + timeout
        while text not in self.output():
            self.still_starting(end)

    def still_starting(self, end: float) -> None:
        """
        Sleep for a moment, for loops that wait until it is ready.

        Args:
            end: The moment (of `time.monotonic`) at which waiting is given up.

        Raises:
            ServerFailedError: It ended, or *end* has passed.
        """
        if not self.alive:
            raise ServerFailedError(
                f"{self.name} ended with status {self.returncode} while starting; its last words "
                f"in {self.log}: {self.last_words()}"
            )
        if time.monotonic() > end:
            raise ServerFailedError(
                f"{self.name} didn't get ready in time; its last words in {self.log}: "
                f"{self.last_words()}"
            )
        time.sleep(_TICK)

    def last_words(self) -> str:
        lines = [line for line in self.output().splitlines() if line.strip()]
        return " / ".join(lines[-3:]) or "none"

    def stop(self, *, timeout: float = 20) -> None:
        """Ask it to end; after *timeout* seconds, make it. Does nothing when it has ended."""
        if self._popen is None:
            return
        if self._popen.poll() is None:
            self.resume()
            signal_process(self._popen.pid, self.stop_signal)
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget()

    def kill(self) -> None:
        """End it and its children at once (SIGKILL), as a crash would."""
        if self._popen is None:
            return
        if self._popen.poll() is None:
            kill_tree(self._popen.pid)
            self._popen.wait()
        self._forget()

    def pause(self) -> None:
        """Freeze it and its children (SIGSTOP): connections stay, answers don't come."""
        if self.alive:
            for pid in tree(self.pid):
                signal_process(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause` (SIGCONT)."""
        if self.alive:
            for pid in tree(self.pid):
                signal_process(pid, signal.SIGCONT)

    def _forget(self) -> None:
        if self.pid_file is not None:
            self.pid_file.unlink(missing_ok=True)


def end_leftover(pid_file: Path, stop_signal: signal.Signals, *, timeout: float = 20) -> int | None:
    """
    End what an earlier run, itself killed, left running; give back its process id, or None.

    Args:
        pid_file: Where that run kept its identity. A re-used process id is left alone.
        stop_signal: What asks it to end in good order.
        timeout: Seconds until it is made to end.
    """
    left = Identity.read(pid_file)
    pid_file.unlink(missing_ok=True)
    if left is None or not left.is_alive():
        return None
    signal_process(left.pid, signal.SIGCONT)
    signal_process(left.pid, stop_signal)
    end = time.monotonic() + timeout
    while left.is_alive():
        if time.monotonic() > end:
            kill_tree(left.pid)
            end = time.monotonic() + timeout
        time.sleep(_TICK)
    return left.pid


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 — loopback, from code.
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
