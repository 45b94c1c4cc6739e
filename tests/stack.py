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

from infra.local import ports
from infra.local.compose import engine_answers
from infra.local.errors import ServerFailedError
from infra.local.kafka import SETTINGS
from infra.local.postgres import dsn, ensure_database
from infra.local.stack import Server, start_stack

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
    if wish != "local" and (wish == "docker" or _images_are_there()):
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
        shutil.rmtree(folder)


class _ContainerServer:
    """A container of testcontainers' whose address stays the same when it is started again."""

    def __init__(self, container: DockerContainer, port: int, answers: Callable[[], None]) -> None:
        self.port = port
        self._container: Any = container.get_wrapped_container()
        self._answers = answers

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._container.start()
        end = time.monotonic() + 60
        while True:
            try:
                self._answers()
            except (OSError, KafkaException, asyncpg.PostgresError, TimeoutError) as error:
                if time.monotonic() > end:
                    raise ServerFailedError(f"The container doesn't answer: {error}") from error
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop it in good order."""
        self._container.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        self._container.kill()

    def pause(self) -> None:
        """Freeze it."""
        self._container.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._container.unpause()


def _images_are_there() -> bool:
    if not engine_answers():
        return False
    client = docker.from_env()
    try:
        # The third removes the containers of a test run that was killed.
        for image in (KAFKA_IMAGE, POSTGRES_IMAGE, testcontainers_config.ryuk_image):
            try:
                client.images.get(image)
            except docker.errors.ImageNotFound:
                client.images.pull(image)
    except docker.errors.APIError:
        return False
    finally:
        client.close()
    return True


@contextmanager
def _containers() -> Iterator[TestStack]:
    kafka_port, postgres_port = ports.free_port(), ports.free_port()
    address = f"{ports.LOOPBACK}:{kafka_port}"
    kafka = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, kafka_port)
    for name, value in {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9093",
        "controller.listener.names": "CONTROLLER",
        "listeners": "PLAINTEXT://:9092,CONTROLLER://localhost:9093",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        **SETTINGS,
    }.items():
        kafka.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
    postgres = DockerContainer(POSTGRES_IMAGE).with_bind_ports(5432, postgres_port)
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
