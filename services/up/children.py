"""The services as child processes: started together, watched, started again when one dies."""

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local.processes import Process, end_leftover
from services.up.errors import UpError
from services.up.places import Places

_LONGEST_PAUSE: Final = 30.0  # Seconds between two starts of a child that keeps dying.
_STEADY: Final = 60.0  # Seconds after which a child that ran counts as well.
_READY_WITHIN: Final = 180.0

Say = Callable[[str], None]


@dataclass(slots=True)
class _Child:
    """A service, and when it may be started again."""

    process: Process
    ready: Callable[[Process], None]
    started: float = 0.0
    pause: float = 1.0
    due: float | None = None


class Children:
    """
    The services.

    Args:
        places: Ports and folders.
        told: Their environment.
        say: Told, in a line, when one died and is started again.
    """

    def __init__(self, places: Places, told: Mapping[str, str], say: Say) -> None:
        self._say = say
        self._children = [
            _child(places, told, name, arguments, ready)
            for name, arguments, ready in _services(places)
        ]

    @staticmethod
    def end_leftovers(places: Places, say: Say) -> None:
        """End what an earlier run that was killed left running."""
        for pid_file in sorted(places.logs.glob("*.pid")):
            if left := end_leftover(pid_file, signal.SIGTERM, timeout=5):
                say(f"Stopped {pid_file.stem} as an earlier run had left it (process {left}).")

    def start(self) -> None:
        """
        Start all, and wait until each is ready.

        Raises:
            ServerFailedError: One ended, or didn't get ready in time.
        """
        for child in self._children:
            _start(child)
        with ThreadPoolExecutor(len(self._children)) as pool:
            for waiting in [pool.submit(child.ready, child.process) for child in self._children]:
                waiting.result()

    def tend(self) -> None:
        """Start again what died and is due; to be called often."""
        now = time.monotonic()
        for child in self._children:
            if child.process.alive:
                if now - child.started > _STEADY:
                    child.pause = 1.0
                continue
            if child.due is None:
                child.due = now + child.pause
                self._say(
                    f"{child.process.name} ended with status {child.process.returncode};"
                    f" it is started again in {child.pause:.0f} s (its log: {child.process.log})."
                )
                child.pause = min(child.pause * 2, _LONGEST_PAUSE)
            elif now >= child.due:
                child.due = None
                _start(child)

    def stop(self) -> None:
        """Stop all, at the same time."""
        with ThreadPoolExecutor(len(self._children)) as pool:
            list(pool.map(lambda child: child.process.stop(timeout=10), self._children))


def _services(
    places: Places,
) -> Sequence[tuple[str, Sequence[str], Callable[[Process], None]]]:
    def at(port: int) -> Callable[[Process], None]:
        url = f"{places.url(port)}/health/ready"
        return lambda process: process.wait_for_url(url, timeout=_READY_WITHIN)

    def says(line: str) -> Callable[[Process], None]:
        return lambda process: process.wait_for_line(line, timeout=_READY_WITHIN)

    def ports(port: int, metrics: int) -> Sequence[str]:
        return ["--port", str(port), "--metrics-port", str(metrics)]

    return (
        ("project", ["--port", str(places.projections_port)], at(places.projections_port)),
        ("auth", ports(places.auth_port, places.auth_metrics_port), at(places.auth_port)),
        ("staff", ports(places.staff_port, places.staff_metrics_port), at(places.staff_port)),
        ("notify", [], says("notify.ready")),
    )


def _child(
    places: Places,
    told: Mapping[str, str],
    name: str,
    arguments: Sequence[str],
    ready: Callable[[Process], None],
) -> _Child:
    process = Process(
        name,
        [sys.executable, "-m", "services.cli", name, *arguments],
        log=places.logs / f"{name}.log",
        env={**told, "PYTHONUNBUFFERED": "1"},
        cwd=Path.cwd(),
        pid_file=places.logs / f"{name}.pid",
    )
    return _Child(process, ready)


def _start(child: _Child) -> None:
    try:
        child.process.start()
    except OSError as error:
        raise UpError(f"{child.process.name} can't be started: {error}.") from error
    child.started = time.monotonic()
