"""The stack by Docker: what is said where something is missing, and, where it isn't, the stack."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from infra.local import compose
from infra.local.errors import PortTakenError, PrerequisiteMissingError, ServerFailedError
from infra.local.stack import Stack, forget, start_stack
from tests.stack import KAFKA_IMAGE, POSTGRES_IMAGE, stack_folder


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, require_tool: Callable[[str], str]) -> None:
    require_tool("docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


class TestDecide:
    def test_refuses_another_word(self, said: list[str]) -> None:
        with pytest.raises(PrerequisiteMissingError, match=r"is podman: say docker or local\.$"):
            compose.decide("podman", None, said.append)

    @pytest.mark.usefixtures("no_docker")
    def test_takes_this_machines_programs_without_docker(self, said: list[str]) -> None:
        assert compose.decide(None, None, said.append) == "local"
        assert said == [
            "Kafka and PostgreSQL run from this machine's programs (there is no docker command)."
        ]

    @pytest.mark.usefixtures("no_docker")
    def test_says_what_to_install(self, said: list[str]) -> None:
        with pytest.raises(
            PrerequisiteMissingError,
            match=r"is docker, but there is no docker command: install Docker first\.$",
        ):
            compose.decide("docker", None, said.append)

    @pytest.mark.usefixtures("no_engine")
    def test_says_what_to_start(self, said: list[str]) -> None:
        assert compose.decide(None, None, said.append) == "local"
        with pytest.raises(
            PrerequisiteMissingError, match=r"but no Docker engine answers: start it first\.$"
        ):
            compose.decide("docker", None, said.append)

    @pytest.mark.usefixtures("no_docker")
    def test_stays_with_what_holds_the_data(self, said: list[str]) -> None:
        assert compose.decide(None, "local", said.append) == "local"
        with pytest.raises(
            PrerequisiteMissingError, match="kept here is in Docker's volumes, but there is no"
        ):
            compose.decide(None, "docker", said.append)
        with pytest.raises(PrerequisiteMissingError, match=r"or delete the data with `make reset`"):
            compose.decide("local", "docker", said.append)


def docker_is_there() -> bool:
    """Say whether an engine answers that has both images: this module fetches none."""
    if not compose.engine_answers():
        return False
    look = f"docker image inspect {KAFKA_IMAGE} {POSTGRES_IMAGE} >/dev/null 2>&1"
    return os.system(look) == 0  # noqa: S605 -- Constants.


@pytest.mark.faults
class TestStackByDocker:
    async def test_keeps_its_data(self, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
        if not docker_is_there():
            pytest.skip("no Docker engine answers, or it lacks the images")
        monkeypatch.setenv("TWOFOLD_STACK", "docker")
        with stack_folder() as folder:
            try:
                await self._keeps_its_data(folder, said, monkeypatch)
            finally:
                forget(folder, said.append)
                folder.mkdir()

    async def _keeps_its_data(
        self, folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def start(kafka_port: int | None = None) -> Stack:
            return start_stack(folder, kafka_port=kafka_port, postgres_port=None, say=said.append)

        stack = start()
        assert stack.kind == "docker"
        await write(stack)
        stack.stop()

        stack = start()  # On other ports.
        assert await read(stack) == ("kept", "kept")
        stack.kafka_server.pause()
        stack.postgres_server.kill()
        stack.kafka_server.start()
        stack.postgres_server.start()
        assert await read(stack) == ("kept", "kept")
        with pytest.raises(PortTakenError):
            compose.servers(stack_folder_beside(folder), stack.kafka_server.port, None, said.append)
        stack.kill()

        monkeypatch.delenv("TWOFOLD_STACK")
        (folder / "postgres-password").write_text("another")
        with pytest.raises(ServerFailedError, match="another password than the one kept here"):
            start()


def stack_folder_beside(folder: Path) -> Path:
    beside = folder / "beside"
    beside.mkdir()
    shutil.copy(folder / "postgres-password", beside)
    return beside


async def write(stack: Stack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(10)
    producer = Producer({"bootstrap.servers": stack.kafka})
    producer.produce("kept", b"kept")
    assert producer.flush(10) == 0
    connection = await asyncpg.connect(stack.database)
    await connection.execute("CREATE TABLE kept AS SELECT 'kept' AS line")
    await connection.close()


async def read(stack: Stack) -> tuple[str, str]:
    consumer = Consumer({"bootstrap.servers": stack.kafka, "group.id": "g"})
    consumer.assign([TopicPartition("kept", 0, 0)])
    message = consumer.poll(20)
    consumer.close()
    connection = await asyncpg.connect(stack.database)
    line = await connection.fetchval("SELECT line FROM kept")
    await connection.close()
    assert message is not None
    value = message.value()
    assert value is not None
    return value.decode(), line
