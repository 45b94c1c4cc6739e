"""The same two servers by Docker: `infra/docker-compose.yml`, one project a folder."""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg

from infra.local import ports
from infra.local.errors import PrerequisiteMissingError, ServerFailedError
from infra.local.postgres import ensure_database, password

FILE = Path(__file__).parent.parent / "docker-compose.yml"


def decide(wish: str | None, say: Callable[[str], None]) -> str:
    """
    Choose how the stack runs, and say which it is.

    Args:
        wish: "docker" or "local" force it; None or "" leave it open.
        say: Told the choice with its reason.

    Returns:
        "docker" where an engine answers and the images can be had, else "local".

    Raises:
        PrerequisiteMissingError: Docker was asked for and isn't there, or *wish* is another word.
    """
    if wish not in {None, "", "docker", "local"}:
        raise PrerequisiteMissingError(f"TWOFOLD_STACK is {wish}: say docker or local.")
    if wish == "local":
        say("Kafka and PostgreSQL run from this machine's programs (TWOFOLD_STACK=local).")
        return "local"
    problem = _problem(say)
    if problem is None:
        say("Kafka and PostgreSQL run in Docker (infra/docker-compose.yml).")
        return "docker"
    if wish == "docker":
        raise PrerequisiteMissingError(f"TWOFOLD_STACK is docker, but {problem}: start it first.")
    say(f"Kafka and PostgreSQL run from this machine's programs ({problem}).")
    return "local"


def engine_answers() -> bool:
    """Say whether a Docker engine answers within ten seconds."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        asked = subprocess.run([docker, "info"], capture_output=True, check=False, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


class ComposeServer:
    """
    One service of the compose file.

    Args:
        service: Its name there.
        port: Where clients connect, on 127.0.0.1.
        settings: The environment that the compose file reads; it names the project.
    """

    def __init__(self, service: str, port: int, settings: dict[str, str]) -> None:
        self.service = service
        self.port = port
        self._settings = settings

    def start(self) -> None:
        """
        Start the container and wait until it is healthy.

        Raises:
            ServerFailedError: It didn't get there within two minutes.
        """
        self._compose("up", "--detach", "--wait", "--wait-timeout", "120", self.service)

    def stop(self) -> None:
        self._compose("stop", self.service)

    def kill(self) -> None:
        self._compose("kill", self.service)

    def pause(self) -> None:
        self._compose("pause", self.service)

    def resume(self) -> None:
        self._compose("unpause", self.service)

    def _compose(self, *arguments: str) -> None:
        _run(self._settings, *arguments)


class ComposePostgres(ComposeServer):
    """PostgreSQL by compose, whose database is made again where it was dropped."""

    def start(self) -> None:
        """
        Start the container, wait until it answers, and see to the database.

        Raises:
            ServerFailedError: It didn't answer in time.
        """
        super().start()
        end = time.monotonic() + 30
        while True:
            try:
                ensure_database(self.port, self._settings["TWOFOLD_POSTGRES_PASSWORD"])
            except (OSError, asyncpg.CannotConnectNowError, TimeoutError) as error:
                if time.monotonic() > end:
                    raise ServerFailedError(f"PostgreSQL doesn't answer: {error}") from error
                time.sleep(0.1)
            else:
                return


def servers(
    folder: Path,
    kafka_port: int | None,
    postgres_port: int | None,
    say: Callable[[str], None],
) -> tuple[ComposeServer, ComposePostgres]:
    """
    Describe both servers of the stack in *folder*; what an earlier run left is stopped first.

    Raises:
        PortTakenError: Something else listens on a port that was asked for.
    """
    settings = _settings(folder)
    if _run(settings, "ps", "--quiet").strip():
        say("Stopping the containers that an earlier run had left.")
        _run(settings, "stop")
    kafka = ports.claim(kafka_port, "Kafka", "TWOFOLD_KAFKA_PORT")
    postgres = ports.claim(postgres_port, "PostgreSQL", "TWOFOLD_POSTGRES_PORT")
    settings |= {"TWOFOLD_KAFKA_PORT": str(kafka), "TWOFOLD_POSTGRES_PORT": str(postgres)}
    return (
        ComposeServer("kafka", kafka, settings),
        ComposePostgres("postgres", postgres, settings),
    )


def forget(folder: Path, say: Callable[[str], None]) -> None:
    """Delete the containers and volumes of the stack in *folder*, where an engine answers."""
    if engine_answers():
        say("Deleting the containers and volumes.")
        _run(_settings(folder), "down", "--volumes", "--remove-orphans")


def _settings(folder: Path) -> dict[str, str]:
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
    return {
        "COMPOSE_PROJECT_NAME": f"twofold-{digest[:12]}",
        "TWOFOLD_POSTGRES_PASSWORD": password(folder),
    }


def _problem(say: Callable[[str], None]) -> str | None:
    if shutil.which("docker") is None:
        return "there is no docker command"
    if not engine_answers():
        return "no Docker engine answers"
    docker = ["docker", "compose", "--file", str(FILE)]
    if subprocess.run([*docker, "version"], capture_output=True, check=False).returncode != 0:
        return "the docker command has no compose plugin"
    environment = {**os.environ, "TWOFOLD_POSTGRES_PASSWORD": "unused"}
    named = subprocess.run(
        [*docker, "config", "--images"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    images = named.stdout.split()
    asked = subprocess.run(
        ["docker", "image", "inspect", *images], capture_output=True, check=False
    )
    if asked.returncode == 0:
        return None
    say("Fetching the images of Apache Kafka and PostgreSQL (once) …")
    if subprocess.run([*docker, "pull"], check=False, env=environment).returncode != 0:
        return "Docker's images can't be had"
    return None


def _run(settings: dict[str, str], *arguments: str) -> str:
    command = ["docker", "compose", "--file", str(FILE), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **settings}
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise ServerFailedError(f"`docker compose {arguments[0]}` failed: {said[-1]}")
    return done.stdout
