"""The whole system as `make run` keeps it up, in a folder and on ports of its own, to be broken."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException
from rich.console import Console

from infra.local import ports
from infra.local.process_ids import Identity, kill_tree, signal_process, tree
from infra.local.processes import Process
from services.demo.flows import World
from services.demo.people import Authenticator, Somebody
from services.demo.publisher import Publisher
from services.demo.world import Log, Mailbox, Web, wait_until
from services.publisher import PublisherKey

READY_WITHIN_S: Final = 180.0
BACK_WITHIN_S: Final = 60.0
SERVICES: Final = ("auth", "staff", "project", "notify")
Tell = Callable[..., None]

_PORTS: Final = (
    "KAFKA", "POSTGRES", "AUTH", "STAFF", "AUTH_METRICS", "STAFF_METRICS", "PROJECTIONS", "SMTP",
)  # fmt: skip


@dataclass(slots=True)
class System:
    """
    `twofold up`, and what it started.

    Attributes:
        folder: Where it keeps everything; other users may enter it.
        wishes: The environment that names its folder and ports.
    """

    folder: Path
    wishes: Mapping[str, str]
    process: Process
    extra: list[Process] = field(default_factory=list)

    @classmethod
    def on(cls, folder: Path) -> "System":
        """One in *folder*, not started."""
        wishes = {
            "TWOFOLD_FOLDER": str(folder),
            "TWOFOLD_STACK": "local",
            "PYTHONUNBUFFERED": "1",
            **{f"TWOFOLD_{name}_PORT": str(ports.free_port()) for name in _PORTS},
        }
        process = Process(
            "twofold up",
            [sys.executable, "-m", "services.cli", "up"],
            log=folder / "up.log",
            env=wishes,
        )
        return cls(folder, wishes, process)

    # ---- up and down ----------------------------------------------------------------------------

    def up(self) -> float:
        """Start it, and wait until it is ready; gives the seconds that it took."""
        began = time.monotonic()
        self.process.start()
        self.process.wait_for_line("Twofold is ready", timeout=READY_WITHIN_S)
        return time.monotonic() - began

    def stop(self) -> None:
        """As Ctrl-C would."""
        self._end_extra()
        self.process.stop(timeout=60)

    def kill(self) -> int:
        """SIGKILL for every process of ours, Kafka and PostgreSQL; gives how many there were."""
        everything = [process.pid for process in self.extra if process.alive]
        everything += tree(self.process.pid)
        for pid in everything:
            signal_process(pid, signal.SIGKILL)
        kill_tree(self.process.pid)
        self._end_extra()
        self.process.kill()
        return len(everything)

    def _end_extra(self) -> None:
        while self.extra:
            self.extra.pop().kill()

    # ---- parts ----------------------------------------------------------------------------------

    @property
    def told(self) -> dict[str, str]:
        """What the services are told by their environment."""
        return dict(json.loads((self.folder / "settings.json").read_text()))

    @property
    def demonstration(self) -> dict[str, Any]:
        """Who can log in, and where."""
        return dict(json.loads((self.folder / "demo.json").read_text()))

    @property
    def kafka(self) -> str:
        return self.told["TWOFOLD_KAFKA"]

    @property
    def database(self) -> str:
        return self.told["TWOFOLD_DATABASE"]

    def pid(self, name: str) -> int:
        """The process id of "kafka", "postgres", or one of our services."""
        file = {
            "kafka": self.folder / "kafka" / "pid",
            "postgres": self.folder / "postgres-pid",
        }.get(name, self.folder / "logs" / f"{name}.pid")
        identity = wait_until(f"{name}'s process id", lambda: Identity.read(file))
        return int(identity.pid)

    def log_of(self, name: str) -> str:
        """What a service has written."""
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")

    def another(self, name: str, **changes: str) -> tuple[Process, str]:
        """A second process of a service, with its URL; ended with the rest."""
        port = ports.free_port()
        metrics = [] if name == "project" else ["--metrics-port", "0"]
        process = Process(
            f"another {name}",
            [sys.executable, "-m", "services.cli", name, "--port", str(port), *metrics],
            log=self.folder / "logs" / f"{name}-{port}.log",
            env={**self.told, **changes, "PYTHONUNBUFFERED": "1"},
        )
        process.start()
        self.extra.append(process)
        url = f"http://127.0.0.1:{port}"
        process.wait_for_url(f"{url}/health/ready", timeout=BACK_WITHIN_S)
        return process, url

    # ---- from outside ---------------------------------------------------------------------------

    def publisher(self) -> Publisher:
        """The operator, who publishes commands; not to be shared between threads."""
        told = self.demonstration
        key = PublisherKey.load(Path(told["operator_key"]))
        outcomes = Log(told["kafka"], "twofold.command-outcomes")
        return Publisher(told["kafka"], told["audience"], key.id, key.key, outcomes)

    def world(self, *, ahead: str | None = None) -> World:
        """Everything that can be reached from outside; for one thread."""
        return wait_until("Kafka", lambda: self._world(ahead), BACK_WITHIN_S)  # type: ignore[no-any-return]

    def _world(self, ahead: str | None) -> World | None:
        told = self.demonstration
        try:
            logs = [Log(told["kafka"], f"twofold.{name}") for name in ("events", "vault")]
            operator = self.publisher()
        except KafkaException:  # It was away, and has no leader for each partition yet.
            return None
        support = next(one for one in told["people"] if one["role"] == "support")
        return World(
            auth=Web(told["auth_url"]),
            ahead=Web(ahead or told["auth_url"]),
            staff=Web(told["staff_url"]),
            log=logs[0],
            vault=logs[1],
            mailbox=Mailbox(Path(told["mail"])),
            operator=operator,
            support=somebody(support),
            console=Console(highlight=False),
        )


def somebody(person: Mapping[str, Any]) -> Somebody:
    """A person of the demonstration's file."""
    return Somebody(
        person["organisation_id"],
        person["staff_id"],
        person["username"],
        person["email"],
        person["password"],
        Authenticator(person["secret"]) if person["secret"] else None,
    )


@contextmanager
def running(folder: Path) -> Iterator[System]:
    """Bring one up in *folder*; whatever is left of it is killed at the end."""
    system = System.on(folder)
    try:
        system.up()
        yield system
    finally:
        system.kill()


@contextmanager
def the_same_processes(system: System) -> Iterator[None]:
    """Check that no service of ours died in here."""
    before = {name: system.pid(name) for name in SERVICES}
    yield
    assert {name: system.pid(name) for name in SERVICES} == before
