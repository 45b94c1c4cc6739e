"""One PostgreSQL server from this machine's programs, on loopback alone."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from infra.local import ports, postgres_binaries
from infra.local.errors import ServerFailedError
from infra.local.postgres_home import Home, home
from infra.local.process_ids import Identity, primary_group
from infra.local.processes import Process, end_leftover
from infra.local.server import LocalServer

USER = DATABASE = "twofold"
PASSWORD_FILE = "postgres-password"  # noqa: S105 — the name of the file, not the password.


def password(folder: Path) -> str:
    """Give the password of the stack in *folder*, made at the first call and kept there (0600)."""
    file = folder / PASSWORD_FILE
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as output:
            output.write(secrets.token_urlsafe(24))
    return file.read_text()


def dsn(port: int, secret: str, database: str = DATABASE) -> str:
    return f"postgresql://{USER}:{secret}@{ports.LOOPBACK}:{port}/{database}"


def ensure_database(port: int, secret: str) -> None:
    """
    Connect as the owner, and create the database where it isn't.

    It may have been dropped: everything in it can be folded again from Kafka.

    Raises:
        OSError, asyncpg.PostgresError, TimeoutError: The server doesn't answer (yet).
    """

    async def connect_and_create() -> None:
        connection = await asyncpg.connect(dsn(port, secret, "postgres"), timeout=5)
        try:
            there = "SELECT 1 FROM pg_database WHERE datname = $1"
            if await connection.fetchval(there, DATABASE) is None:
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()

    # In a thread, for callers that run in an event loop of their own.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(connect_and_create())).result()


class PostgresServer(LocalServer):
    """
    A server whose data outlives it.

    Args:
        folder: The stack's folder, which holds the password, the log and where the data is.
        port: Where clients connect, on 127.0.0.1.
        say: Told of steps that take long.
        durable: False leaves writing to the disk to the system (fsync off): a killed server still
            loses nothing, a machine without power does. For tests.
        certificate: PEM file of its certificate and key: connections without TLS are then refused.
    """

    name = "PostgreSQL"

    def __init__(
        self,
        folder: Path,
        port: int,
        say: Callable[[str], None],
        *,
        durable: bool = True,
        certificate: Path | None = None,
    ) -> None:
        super().__init__(port)
        self.folder = folder
        self._say = say
        self._durable = durable
        self._certificate = certificate

    def start(self) -> None:
        """
        Start the server and wait until it answers. Does nothing when it runs.

        Raises:
            PrerequisiteMissingError: No programs of PostgreSQL that fit.
            PortTakenError: Something listens on its port.
            ServerFailedError: It ended, or didn't answer within a minute.
        """
        if self.alive:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        place = home(self.folder)
        data = place.folder / "data"
        pid_file = self.folder / "postgres-pid"
        if left := end_leftover(pid_file, signal.SIGINT):
            self._say(f"Stopped PostgreSQL as an earlier run had left it (process {left}).")
        ports.claim(self.port, "PostgreSQL", "TWOFOLD_POSTGRES_PORT")
        made_by = data / "PG_VERSION"
        version = int(made_by.read_text()) if made_by.exists() else None
        binaries = postgres_binaries.find(self._say, version, place.shared)
        if version is None:
            self._make(binaries, place, data)
        _drop_stale_lock(data)
        protected = self._protect(place, data) if self._certificate else []
        self._process = Process(
            "PostgreSQL",
            [str(binaries / "postgres"), "-D", str(data), *self._settings(), *protected],
            log=self.folder / "postgres-log",
            env={"LC_ALL": "C", "TZ": "UTC"},
            cwd=place.folder,
            user=place.user,
            pid_file=pid_file,
            stop_signal=signal.SIGINT,  # Its "fast" shutdown: clients are let go, not waited for.
        )
        self._process.start()
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self._process.kill()
            raise

    def _settings(self) -> list[str]:
        written = "on" if self._durable else "off"
        settings = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "synchronous_commit": "on",
            "fsync": written,
            "full_page_writes": written,
            "password_encryption": "scram-sha-256",
            "log_min_messages": "warning",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _protect(self, place: Home, data: Path) -> list[str]:
        """TLS for everybody, with a copy of the certificate that the server's own user can read."""
        own = place.folder / "server.pem"
        own.touch(mode=0o600)
        own.write_bytes((self._certificate or own).read_bytes())
        rules = data / "pg_hba.conf"
        rules.write_text("hostssl all all all scram-sha-256\n")
        if place.user is not None:
            shutil.chown(own, place.user)
            shutil.chown(rules, place.user)
        return ["-c", "ssl=on", "-c", f"ssl_cert_file={own}", "-c", f"ssl_key_file={own}"]

    def _make(self, binaries: Path, place: Home, data: Path) -> None:
        # In a folder beside, so that an interrupted initdb is not taken for a whole one.
        unfinished = place.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        secret = place.folder / "initial-password"
        secret.touch(mode=0o600)
        secret.write_text(password(self.folder))
        if place.user is not None:
            shutil.chown(secret, place.user)
        command = [str(binaries / "initdb"), "-D", str(unfinished), "--username", USER]
        try:
            done = subprocess.run(
                [
                    *command,
                    *("--pwfile", str(secret), "--auth", "scram-sha-256"),
                    *("--encoding", "UTF8", "--locale", "C"),
                    *([] if self._durable else ["--no-sync"]),
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd=place.folder,
                env={**os.environ, "LC_ALL": "C"},
                user=place.user,
                group=None if place.user is None else primary_group(place.user),
                extra_groups=None if place.user is None else [],
            )
        finally:
            secret.unlink()
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["nothing"]
            raise ServerFailedError(f"PostgreSQL's data couldn't be prepared in {data}: {said[-1]}")
        unfinished.rename(data)

    def _wait_until_it_answers(self, process: Process) -> None:
        secret = password(self.folder)
        end = time.monotonic() + 60
        while True:
            try:
                ensure_database(self.port, secret)
            except (OSError, asyncpg.CannotConnectNowError, TimeoutError):
                process.still_starting(end)
            else:
                return


def _drop_stale_lock(data: Path) -> None:
    """
    Delete the lock file of a killed server that PostgreSQL itself would take for a living one.

    It asks only whether *some* process has that id: another program, or a zombie that no parent
    has collected, would keep it from starting. As long as any process works in *data*, it stays.
    """
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
        program = Path(f"/proc/{pid}/comm").read_text()
    except (OSError, ValueError):
        return
    if Identity.of(pid) is not None and "postgres" in program:
        return
    end = time.monotonic() + 5  # Backends see that their server is gone, and end.
    while _someone_works_in(data):
        if time.monotonic() > end:
            return
        time.sleep(0.05)
    lock.unlink()


def _someone_works_in(data: Path) -> bool:
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink() == data:
                return True
        except OSError:  # It has ended, or is none of ours.
            continue
    return False
