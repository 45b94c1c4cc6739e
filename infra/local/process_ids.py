"""Process ids: whose they are, the family of one, and signals to them."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Identity:
    """A process id with its start, so that a re-used id is not taken for the same process."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Give the identity of a living process, or None when there is none (a zombie is none)."""
        stat = _stat(pid)
        if stat is not None:
            state, _, started = stat
            return None if state == "Z" else cls(pid, started)
        if Path("/proc/self/stat").exists():
            return None
        found = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return cls(pid, found.stdout.strip()) if found.stdout.strip() else None

    def is_alive(self) -> bool:
        return Identity.of(self.pid) == self

    def write(self, file: Path) -> None:
        file.write_text(f"{self.pid} {self.started}\n")

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Read what `write` wrote; None when there is no such file or it was cut off."""
        try:
            pid, started = file.read_text().strip().split(" ", 1)
            return cls(int(pid), started)
        except (FileNotFoundError, ValueError):
            return None


def tree(pid: int) -> list[int]:
    """Give *pid* and its descendants, parents first (on systems without /proc: *pid* alone)."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        stat = _stat(int(entry.name))
        if stat is not None:
            parents.setdefault(stat[1], []).append(int(entry.name))
    found = [pid]
    for known in found:
        found += parents.get(known, [])
    return found


def kill_tree(pid: int) -> None:
    """
    Send SIGKILL to *pid*, its group and its descendants, and wait until they have ended.

    A group is not enough: PostgreSQL's backends, and what a service starts, lead their own.
    """
    family = [one for member in tree(pid) if (one := Identity.of(member)) is not None]
    for member in family:
        signal_process(member.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    end = time.monotonic() + 5
    while any(member.is_alive() for member in family) and time.monotonic() < end:
        time.sleep(0.005)


def signal_process(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that has just ended is no error."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def primary_group(user: str) -> int:
    """Give the id of the group that *user* belongs to first."""
    import pwd  # noqa: PLC0415 — Unix alone has it, and there only root comes here.

    return pwd.getpwnam(user).pw_gid


def _stat(pid: int) -> tuple[str, int, str] | None:
    """Read state, parent and start (in clock ticks since boot) from /proc/<pid>/stat (proc(5))."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1]), fields[19]
