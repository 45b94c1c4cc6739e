"""The same two servers by Docker: `infra/docker-compose.yml`, one project a folder."""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.local import ports
from infra.local.errors import PrerequisiteMissingError, ServerFailedError
from infra.local.postgres import ensure_database, password

FILE = Path(__file__).parent.parent / "docker-compose.yml"


@dataclass(frozen=True, slots=True)
class _Problem:
    what: str
    remedy: str


def decide(wish: str | None, kept: str | None, say: Callable[[str], None]) -> str:
    """
    Choose how the stack runs, and say which it is.

    Args:
        wish: "docker" or "local" force it; None or "" leave it open.
        kept: Which of them already holds this stack's data; None where there is none yet.
        say: Told the choice with its reason.

    Returns:
        *kept*, else "docker" where an engine answers and the images can be had, else "local".

    Raises:
        PrerequisiteMissingError: Docker is needed and isn't there, the data is with the kind that
            isn't wished for, or *wish* is another word.
    """
    if wish not in {None, "", "docker", "local"}:
        raise PrerequisiteMissingError(f"TWOFOLD_STACK is {wish}: say docker or local.")
    if wish and kept and wish != kept:
        raise PrerequisiteMissingError(
            f"TWOFOLD_STACK is {wish}, but the data kept here was written with {kept}: set "
            f"TWOFOLD_STACK={kept}, or delete the data with `make reset`."
        )
    if (wish or kept) == "local":
        why = "TWOFOLD_STACK=local" if wish else "so does what they have kept"
        say(f"Kafka and PostgreSQL run from this machine's programs ({why}).")
        return "local"
    problem = _problem(say)
    if problem is None:
        say("Kafka and PostgreSQL run in Docker (infra/docker-compose.yml).")
        return "docker"
    if wish or kept:
        needed = "TWOFOLD_STACK is docker" if wish else "The data kept here is in Docker's volumes"
        raise PrerequisiteMissingError(f"{needed}, but {problem.what}: {problem.remedy}.")
    say(f"Kafka and PostgreSQL run from this machine's programs ({problem.what}).")
    return "local"


def engine_answers() -> bool:
    """Say whether a Docker engine answers within ten seconds."""
    return _engine_problem() is None


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
        Start the container and wait until it answers.

        Raises:
            ServerFailedError: It ended, or didn't get there within two minutes.
        """
        self.resume()
        # Without --wait: that gives up on a container which was frozen, as it is unhealthy still.
        self._compose("up", "--detach", self.service)
        end = time.monotonic() + 120
        while (refusal := self._refusal()) is not None:
            if not self._is("running"):
                raise ServerFailedError(
                    f"The container of {self.service} ended while starting; its last words: "
                    f"{self._last_words()}"
                )
            if time.monotonic() > end:
                raise ServerFailedError(
                    f"The container of {self.service} doesn't answer: {refusal}"
                )
            time.sleep(0.1)

    def stop(self) -> None:
        self.resume()
        self._compose("stop", self.service)

    def kill(self) -> None:
        self._compose("kill", self.service)

    def pause(self) -> None:
        if self._is("running"):
            self._compose("pause", self.service)

    def resume(self) -> None:
        if self._is("paused"):
            self._compose("unpause", self.service)

    def _refusal(self) -> Exception | None:
        """Ask it something: None where it answers, else what came instead."""
        raise NotImplementedError

    def _is(self, status: str) -> bool:
        return bool(self._compose("ps", "--quiet", "--status", status, self.service).strip())

    def _last_words(self) -> str:
        said = self._compose("logs", "--no-log-prefix", "--no-color", "--tail", "3", self.service)
        return " / ".join(line.strip() for line in said.splitlines() if line.strip()) or "none"

    def _compose(self, *arguments: str) -> str:
        return _run(self._settings, *arguments)


class ComposeKafka(ComposeServer):
    """Kafka by compose."""

    def _refusal(self) -> Exception | None:
        address = f"{ports.LOOPBACK}:{self.port}"
        try:
            answer = AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(
                timeout=2
            )
        except KafkaException as error:
            return error
        return None if answer.brokers else ServerFailedError("it has no broker yet")


class ComposePostgres(ComposeServer):
    """PostgreSQL by compose, whose database is made again where it was dropped."""

    def _refusal(self) -> Exception | None:
        try:
            ensure_database(self.port, self._settings["TWOFOLD_POSTGRES_PASSWORD"])
        except asyncpg.InvalidPasswordError as error:
            raise ServerFailedError(
                "The database's Docker volume was made with another password than the one kept "
                "here: delete the data with `make reset`."
            ) from error
        except (OSError, asyncpg.PostgresConnectionError, TimeoutError) as error:
            # Docker's proxy listens, and hangs up, before the server does.
            return error
        except asyncpg.CannotConnectNowError as error:
            return error
        return None


def servers(
    folder: Path,
    kafka_port: int | None,
    postgres_port: int | None,
    say: Callable[[str], None],
) -> tuple[ComposeKafka, ComposePostgres]:
    """
    Describe both servers of the stack in *folder*; what an earlier run left is stopped first.

    Raises:
        PortTakenError: Something else listens on a port that was asked for.
        ServerFailedError: The engine refuses the containers.
    """
    settings = _settings(folder)
    if _run(settings, "ps", "--quiet").strip():
        say("Stopping the containers that an earlier run had left.")
        _run(settings, "stop")
    kafka = ports.claim(kafka_port, "Kafka", "TWOFOLD_KAFKA_PORT")
    postgres = ports.claim(postgres_port, "PostgreSQL", "TWOFOLD_POSTGRES_PORT")
    settings |= {"TWOFOLD_KAFKA_PORT": str(kafka), "TWOFOLD_POSTGRES_PORT": str(postgres)}
    # Both servers start at the same time, and only one may make the network that they share.
    _run(settings, "up", "--no-start")
    return (
        ComposeKafka("kafka", kafka, settings),
        ComposePostgres("postgres", postgres, settings),
    )


def forget(folder: Path, say: Callable[[str], None]) -> None:
    """Delete the containers and volumes of the stack in *folder*, where an engine answers."""
    if engine_answers() and _compose_command() is not None:
        say("Deleting the containers and volumes.")
        _run(_settings(folder), "down", "--volumes", "--remove-orphans")


def _settings(folder: Path) -> dict[str, str]:
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
    return {
        "COMPOSE_PROJECT_NAME": f"twofold-{digest[:12]}",
        "TWOFOLD_POSTGRES_PASSWORD": password(folder),
    }


def _problem(say: Callable[[str], None]) -> _Problem | None:
    problem = _engine_problem()
    if problem is not None:
        return problem
    command = _compose_command()
    if command is None:
        return _Problem("there is no Docker Compose of version 2 or newer", "install it first")
    environment = {**os.environ, "TWOFOLD_POSTGRES_PASSWORD": "unused"}
    named = subprocess.run(
        [*command, "config", "--images"],
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
    if subprocess.run([*command, "pull"], check=False, env=environment).returncode != 0:
        return _Problem(
            "its images can't be had",
            f"see that `docker pull` can fetch {' and '.join(sorted(images))}",
        )
    return None


def _engine_problem() -> _Problem | None:
    docker = shutil.which("docker")
    if docker is None:
        return _Problem("there is no docker command", "install Docker first")
    try:
        asked = subprocess.run(
            [docker, "info"], capture_output=True, text=True, check=False, timeout=10
        )
    except subprocess.TimeoutExpired:
        return _Problem("no Docker engine answers within ten seconds", "start it first")
    if asked.returncode == 0:
        return None
    if "permission denied" in asked.stderr:
        return _Problem("this user may not use the Docker engine", "give it that right first")
    return _Problem("no Docker engine answers", "start it first")


def _compose_command() -> list[str] | None:
    """Give the command of Docker Compose, a plugin of docker or a program; None for version 1."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        asked = subprocess.run(
            [*command, "version", "--short"], capture_output=True, text=True, check=False
        )
        version = asked.stdout.strip().removeprefix("v")
        if asked.returncode == 0 and version and not version.startswith("1."):
            return [*command, "--file", str(FILE)]
    return None


def _run(settings: dict[str, str], *arguments: str) -> str:
    command = _compose_command()
    if command is None:
        raise PrerequisiteMissingError("Docker Compose isn't there any more: install it again.")
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **settings},
        start_new_session=True,  # Ctrl-C is for who called; it must not end this halfway.
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ServerFailedError(f"`docker compose {arguments[0]}` failed: {said[-1].strip()}")
    return done.stdout
