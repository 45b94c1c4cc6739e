"""The real Kafka and PostgreSQL that tests run against: which they are is decided here alone."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import docker
import docker.errors
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from infra.local import ports
from infra.local.compose import engine_answers
from infra.local.errors import PrerequisiteMissingError, ServerFailedError
from infra.local.kafka import SETTINGS
from infra.local.postgres import dsn, ensure_database
from infra.local.stack import Server, start_stack
from tests.sweep import searching as sweep

KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "postgres:17"
KAFKA_VARIABLE = "TWOFOLD_TEST_STACK_KAFKA"
DATABASE_VARIABLE = "TWOFOLD_TEST_STACK_DATABASE"


@dataclass(frozen=True, slots=True)
class TestStack:
    """
    The servers of this test run.

    Attributes:
        kafka: The broker's address, "127.0.0.1:port".
        database: URL of a database whose user may create others.
        kind: "docker", "local", or "given": kept up by the developer, named by two variables.
        kafka_server, postgres_server: For tests that stop them; None where they are given.
    """

    __test__ = False

    kafka: str
    database: str
    kind: str
    kafka_server: Server | None = None
    postgres_server: Server | None = None


@contextmanager
def running_stack(say: Callable[[str], None]) -> Iterator[TestStack]:
    """
    Give the servers to test on, and stop them at the end (given ones excepted).

    In this order: those that TWOFOLD_TEST_STACK_KAFKA and TWOFOLD_TEST_STACK_DATABASE name;
    containers, where a Docker engine answers and has (or can get) both images; this machine's own.
    TWOFOLD_STACK=docker or =local forces one of the latter two.
    """
    given = os.environ.get(KAFKA_VARIABLE), os.environ.get(DATABASE_VARIABLE)
    if given[0] and given[1]:
        say(f"stack: given, Kafka at {given[0]}")
        yield TestStack(given[0], given[1], "given")
        return
    wish = os.environ.get("TWOFOLD_STACK")
    if wish != "local" and _containers_can_be_had(say, needed=wish == "docker"):
        with _containers() as stack:
            say(f"stack: containers, Kafka at {stack.kafka}")
            yield stack
        return
    with local_stack(say) as stack:
        say(f"stack: this machine's own programs, Kafka at {stack.kafka}")
        yield stack


@contextmanager
def local_stack(say: Callable[[str], None]) -> Iterator[TestStack]:
    """Start this machine's own Kafka and PostgreSQL in a new folder; stop and delete them after."""
    with stack_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWOFOLD_STACK", "local")
        stack = start_stack(folder, kafka_port=None, postgres_port=None, say=say, durable=False)
        try:
            yield TestStack(
                stack.kafka, stack.database, stack.kind, stack.kafka_server, stack.postgres_server
            )
        finally:
            stack.kafka_server.resume()
            stack.postgres_server.resume()
            stack.kill()  # Nothing of it is wanted any more, so that its shutdown needn't be.


@contextmanager
def stack_folder() -> Iterator[Path]:
    """Make a folder that other users may enter (PostgreSQL's, for root), and delete it after."""
    folder = Path(tempfile.mkdtemp(prefix="twofold-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        sweep.search(folder)
        shutil.rmtree(folder)


class _ContainerServer:
    """A container of testcontainers' whose address stays the same when it is started again."""

    def __init__(self, container: DockerContainer, port: int, answers: Callable[[], None]) -> None:
        self.port = port
        self._container: Any = container.get_wrapped_container()
        self._answers = answers

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.resume()
        self._container.start()
        end = time.monotonic() + 60
        while True:
            try:
                self._answers()
            except (OSError, KafkaException, asyncpg.PostgresError, TimeoutError) as error:
                # Docker's proxy listens, and hangs up, before the server does.
                if time.monotonic() > end:
                    raise ServerFailedError(f"The container doesn't answer: {error}") from error
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop it in good order."""
        self.resume()
        self._container.stop(timeout=30)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._status() in {"running", "paused"}:
            self._container.kill()
            self._container.wait()

    def pause(self) -> None:
        """Freeze it."""
        for left in reversed(range(5)):
            if self._status() != "running":
                return
            try:
                self._container.pause()
            except docker.errors.APIError:  # "unable to freeze": a busy one, under cgroups v1.
                if not left:
                    raise

    def resume(self) -> None:
        """Let it go on."""
        if self._status() == "paused":
            self._container.unpause()

    def _status(self) -> str:
        self._container.reload()
        return str(self._container.status)


def _containers_can_be_had(say: Callable[[str], None], *, needed: bool) -> bool:
    """
    See that an engine and the images are there, fetching what is missing.

    Raises:
        PrerequisiteMissingError: They aren't, and are *needed*.
    """
    problem = _missing(say, needed=needed)
    if problem is not None and needed:
        raise PrerequisiteMissingError(f"TWOFOLD_STACK is docker, but {problem}.")
    return problem is None


def _missing(say: Callable[[str], None], *, needed: bool) -> str | None:
    if not engine_answers():
        return "no Docker engine answers"
    images = [KAFKA_IMAGE, POSTGRES_IMAGE]
    if not testcontainers_config.ryuk_disabled:
        # It removes the containers of a test run that was killed.
        images.append(testcontainers_config.ryuk_image)
    try:
        client = DockerClient().client
        for image in images:
            try:
                client.images.get(image)
            except docker.errors.ImageNotFound:
                say(f"stack: fetching {image} …")
                if (failure := _pull(client, image)) is None:
                    continue
                if image not in {KAFKA_IMAGE, POSTGRES_IMAGE} and needed:
                    testcontainers_config.ryuk_disabled = True
                    say(f"stack: without {image}, so a killed run leaves its containers")
                else:
                    return f"{image} can't be had: {failure}"
    except docker.errors.DockerException as error:
        return f"no Docker engine answers: {error}"
    return None


def _pull(client: docker.DockerClient, image: str) -> str | None:
    try:
        client.images.pull(image)
    except docker.errors.APIError as error:
        return str(error.explanation or error)
    return None


def _on_loopback(container: DockerContainer, inner: int, outer: int) -> DockerContainer:
    # Its own with_bind_ports would listen on every address of this machine.
    published: dict[str, Any] = {f"{inner}/tcp": (ports.LOOPBACK, outer)}
    container.ports.update(published)
    return container


@contextmanager
def _containers() -> Iterator[TestStack]:
    kafka_port, postgres_port = ports.free_port(), ports.free_port()
    address = f"{ports.LOOPBACK}:{kafka_port}"
    kafka = _on_loopback(DockerContainer(KAFKA_IMAGE), 9092, kafka_port)
    for name, value in {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9093",
        "controller.listener.names": "CONTROLLER",
        # The broker talks to itself too, and within the container it isn't at *address*.
        "listeners": "PLAINTEXT://:9092,INTERNAL://localhost:19092,CONTROLLER://localhost:9093",
        "advertised.listeners": f"PLAINTEXT://{address},INTERNAL://localhost:19092",
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "inter.broker.listener.name": "INTERNAL",
        "heap.opts": "-Xms256m -Xmx512m",
        **SETTINGS,
    }.items():
        kafka.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
    postgres = _on_loopback(DockerContainer(POSTGRES_IMAGE), 5432, postgres_port)
    for name, value in {"USER": "twofold", "DB": "twofold", "PASSWORD": "for-tests"}.items():
        postgres.with_env(f"POSTGRES_{name}", value)
    postgres.with_command("postgres -c max_connections=200 -c fsync=off -c full_page_writes=off")

    def kafka_answers() -> None:
        AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=1)

    def postgres_answers() -> None:
        ensure_database(postgres_port, "for-tests")

    with ExitStack() as containers:
        servers = [
            _ContainerServer(containers.enter_context(container), port, answers)
            for container, port, answers in (
                (kafka, kafka_port, kafka_answers),
                (postgres, postgres_port, postgres_answers),
            )
        ]
        for server in servers:
            server.start()  # It runs already; this waits until it answers.
        yield TestStack(address, dsn(postgres_port, "for-tests"), "docker", *servers)
