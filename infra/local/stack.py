"""
Kafka and PostgreSQL together: by Docker where an engine and the images are, else from this machine.

`python -m infra.local.stack --folder FOLDER` keeps a stack up for tests and prints its addresses.
"""

import argparse
import fcntl
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from infra.local import compose, ports, postgres_home
from infra.local.errors import FolderInUseError, StackError
from infra.local.kafka import KafkaServer
from infra.local.postgres import PostgresServer, dsn, password

KIND_FILE = "stack-kind"


class Server(Protocol):
    """One of the two servers. Its data, address and port stay the same through all of these."""

    @property
    def port(self) -> int: ...

    def start(self) -> None:
        """Start it and wait until it answers; nothing where it runs."""

    def stop(self) -> None:
        """Stop it in good order."""

    def kill(self) -> None:
        """End it as a crash would."""

    def pause(self) -> None:
        """Freeze it: connections stay, answers don't come."""

    def resume(self) -> None:
        """Let it go on after `pause`."""


@dataclass(frozen=True, slots=True)
class Stack:
    """
    A running Kafka broker and a running PostgreSQL server.

    Attributes:
        kafka: The broker's address, "127.0.0.1:port".
        database: URL of the database "twofold", as an owner who may create others.
        kind: "docker" or "local".
    """

    kafka: str
    database: str
    kind: str
    kafka_server: Server
    postgres_server: Server
    _lock: IO[str]

    def stop(self) -> None:
        """Stop both in good order. Their data stays."""
        self._end("stop")

    def kill(self) -> None:
        """End both as a crash would."""
        self._end("kill")

    def _end(self, how: str) -> None:
        servers = (self.kafka_server, self.postgres_server)
        try:
            with ThreadPoolExecutor(len(servers)) as pool:
                list(pool.map(lambda server: getattr(server, how)(), servers))
        finally:
            self._lock.close()


def start_stack(
    folder: Path,
    *,
    kafka_port: int | None,
    postgres_port: int | None,
    say: Callable[[str], None],
    durable: bool = True,
) -> Stack:
    """
    Start both servers, with their data in *folder*, and wait until they answer.

    TWOFOLD_STACK=docker or =local overrides which kind is taken at the first start; from then on
    it is the one that holds the data.

    Args:
        folder: Made where it is missing. One stack at a time can use it.
        kafka_port: Where the broker listens; None for a free port.
        postgres_port: Where PostgreSQL listens; None for a free port.
        say: Told which kind is taken, and of steps that take long.
        durable: False starts faster and leaves writing to the disk to the system, as for tests.

    Raises:
        StackError: One sentence that says what to do; whatever was started is stopped again.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder)
    kafka: Server
    postgres: Server
    try:
        kept = folder / KIND_FILE
        before = kept.read_text() if kept.exists() else None
        kind = compose.decide(os.environ.get("TWOFOLD_STACK"), before, say)
        if kind == "docker":
            kafka, postgres = compose.servers(folder, kafka_port, postgres_port, say)
        else:
            kafka = KafkaServer(
                folder / "kafka", kafka_port or ports.free_port(), say, durable=durable
            )
            postgres = PostgresServer(
                folder, postgres_port or ports.free_port(), say, durable=durable
            )
        _start_both(kafka, postgres)
        kept.write_text(kind)
        return Stack(
            kafka=f"{ports.LOOPBACK}:{kafka.port}",
            database=dsn(postgres.port, password(folder)),
            kind=kind,
            kafka_server=kafka,
            postgres_server=postgres,
            _lock=lock,
        )
    except BaseException:
        lock.close()
        raise


def forget(folder: Path, say: Callable[[str], None]) -> None:
    """
    Delete *folder* and all data of its stack, wherever that lies.

    Raises:
        FolderInUseError: Its stack runs.
    """
    if not folder.is_dir():
        return
    folder = folder.resolve()
    with _lock(folder):
        compose.forget(folder, say)
        postgres_home.forget(folder)
        shutil.rmtree(folder)


def _lock(folder: Path) -> IO[str]:
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FolderInUseError(
            f"Another process already keeps Kafka and PostgreSQL up with their data in {folder}: "
            "stop that one first (Ctrl-C where it runs)."
        ) from None
    return file


def _start_both(kafka: Server, postgres: Server) -> None:
    try:
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(kafka.start)
            postgres.start()
            starting.result()
    except BaseException:
        kafka.kill()
        postgres.stop()
        raise


def main() -> int:
    """Keep a stack up until Ctrl-C or SIGTERM, or forget one."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.stack", description=main.__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the data is")
    parser.add_argument("--kafka-port", type=int, help="default: a free one")
    parser.add_argument("--postgres-port", type=int, help="default: a free one")
    parser.add_argument("--durable", action="store_true", help="write through to the disk")
    parser.add_argument("--forget", action="store_true", help="delete the data instead")
    options = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        if options.forget:
            forget(options.folder, say)
            return 0
        stack = start_stack(
            options.folder,
            kafka_port=options.kafka_port,
            postgres_port=options.postgres_port,
            say=say,
            durable=options.durable,
        )
    except StackError as error:
        say(str(error))
        return 1
    print(f"export TWOFOLD_TEST_STACK_KAFKA={stack.kafka}")
    print(f"export TWOFOLD_TEST_STACK_DATABASE={stack.database}", flush=True)
    ended.wait()
    try:
        stack.stop()
    except StackError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
