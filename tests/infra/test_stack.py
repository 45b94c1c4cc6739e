"""The local stack, started as a developer starts it: in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from infra.local import ports
from infra.local.errors import PortTakenError
from infra.local.process_ids import Identity
from infra.local.processes import Process
from infra.local.stack import start_stack
from tests.stack import TestStack, local_stack, stack_folder

TOPIC = "kept"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with stack_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def own() -> Iterator[TestStack]:
    """Servers that these tests alone stop and kill."""
    with local_stack(lambda _: None) as own:
        yield own


class Developer:
    """Keeps a stack up in *folder*, on the same ports at every start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka_port, self.postgres_port = ports.free_port(), ports.free_port()
        self.database = ""

    def start(self) -> Process:
        chosen = ["--kafka-port", str(self.kafka_port), "--postgres-port", str(self.postgres_port)]
        process = Process(
            "The stack",
            [sys.executable, "-m", "infra.local.stack", "--folder", str(self.folder), *chosen],
            log=self.folder / "stack-log",
            env={"TWOFOLD_STACK": "local"},
        ).start()
        process.wait_for_line("TWOFOLD_TEST_STACK_DATABASE=", timeout=60)
        self.database = process.output().rpartition("TWOFOLD_TEST_STACK_DATABASE=")[2].strip()
        return process

    def servers(self) -> list[Identity]:
        files = (self.folder / "kafka" / "pid", self.folder / "postgres-pid")
        return [found for file in files if (found := Identity.read(file))]

    async def write(self, text: str) -> None:
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self.kafka_port}"})
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(10)
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{self.kafka_port}"})
        producer.produce(TOPIC, text.encode())
        assert producer.flush(10) == 0
        connection = await asyncpg.connect(self.database)
        await connection.execute("CREATE TABLE kept (line text)")
        await connection.execute("INSERT INTO kept VALUES ($1)", text)
        await connection.close()

    async def read(self) -> tuple[str, str]:
        consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{self.kafka_port}", "group.id": "g"})
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        message = consumer.poll(10)
        consumer.close()
        connection = await asyncpg.connect(self.database)
        line = await connection.fetchval("SELECT line FROM kept")
        await connection.close()
        assert message is not None
        assert message.error() is None
        value = message.value()
        assert value is not None
        return value.decode(), line


@contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as other:
        other.bind((ports.LOOPBACK, 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.faults
class TestStackInAFolder:
    @pytest.mark.slow
    async def test_keeps_its_data_when_everything_is_killed(self, folder: Path) -> None:
        developer = Developer(folder)
        supervisor = developer.start()
        await developer.write("kept")
        assert (folder / "postgres-password").stat().st_mode & 0o777 == 0o600

        supervisor.kill()  # With its children: Kafka, PostgreSQL and all backends.
        assert not any(server.is_alive() for server in developer.servers())
        supervisor = developer.start()
        assert await developer.read() == ("kept", "kept")

        # The supervisor alone: both servers stay, and the next start ends them first.
        left = developer.servers()
        os.kill(supervisor.pid, signal.SIGKILL)
        while supervisor.alive:
            threading.Event().wait(0.02)
        assert [server.is_alive() for server in left] == [True, True]
        supervisor = developer.start()
        assert not any(server.is_alive() for server in left)
        assert await developer.read() == ("kept", "kept")

        connection = await asyncpg.connect(developer.database.rpartition("/")[0] + "/postgres")
        await connection.execute("DROP DATABASE twofold")
        await connection.close()
        running = developer.servers()
        supervisor.stop()
        assert supervisor.returncode == 0
        assert not any(server.is_alive() for server in running)
        assert ports.is_free(developer.kafka_port)
        assert ports.is_free(developer.postgres_port)

        supervisor = developer.start()
        connection = await asyncpg.connect(developer.database)
        assert await connection.fetchval("SELECT current_database()") == "twofold"
        await connection.close()

        command = [sys.executable, "-m", "infra.local.stack", "--folder", str(folder)]
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert second.returncode == 1
        assert "Another process already keeps Kafka and PostgreSQL up" in second.stderr
        supervisor.stop()

        subprocess.run([*command, "--forget"], check=True)
        assert not folder.exists()
        folder.mkdir()


@pytest.mark.faults
class TestStartStack:
    @pytest.mark.parametrize("taken", ["Kafka", "PostgreSQL"])
    def test_refuses_a_taken_port_and_leaves_nothing_running(
        self, taken: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWOFOLD_STACK", "local")
        with (
            stack_folder() as folder,
            listening() as port,
            pytest.raises(PortTakenError, match=f"Port {port} .*wanted by {taken}"),
        ):
            start_stack(
                folder,
                kafka_port=port if taken == "Kafka" else None,
                postgres_port=port if taken == "PostgreSQL" else None,
                say=lambda _: None,
                durable=False,
            )
        assert not [one for one in Path("/proc").glob("[0-9]*/cmdline") if names(one, folder)]


def names(command_line: Path, folder: Path) -> bool:
    try:
        return str(folder).encode() in command_line.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.faults
class TestServers:
    async def test_postgres_comes_back_on_the_same_port(self, own: TestStack) -> None:
        assert own.postgres_server is not None
        for end in (own.postgres_server.stop, own.postgres_server.kill):
            end()
            with pytest.raises(OSError, match="Connect call failed"):
                await asyncpg.connect(own.database)
            own.postgres_server.start()
            connection = await asyncpg.connect(own.database)
            await connection.close()

    async def test_postgres_listens_on_loopback_and_asks_for_the_password(
        self, own: TestStack
    ) -> None:
        connection = await asyncpg.connect(own.database)
        assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
        assert await connection.fetchval("SHOW unix_socket_directories") == ""
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(own.database, password="guessed")

    async def test_a_paused_postgres_answers_again_when_resumed(self, own: TestStack) -> None:
        assert own.postgres_server is not None
        connection = await asyncpg.connect(own.database)
        own.postgres_server.pause()
        with pytest.raises(TimeoutError):
            await connection.fetchval("SELECT 1", timeout=0.3)
        own.postgres_server.resume()
        await connection.close()
        connection = await asyncpg.connect(own.database)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()

    @pytest.mark.slow
    def test_kafka_comes_back_on_the_same_port(self, own: TestStack) -> None:
        assert own.kafka_server is not None
        own.kafka_server.kill()
        assert ports.is_free(own.kafka_server.port)
        own.kafka_server.start()
        answer = AdminClient({"bootstrap.servers": own.kafka}).list_topics(timeout=5)
        assert [f"{one.host}:{one.port}" for one in answer.brokers.values()] == [own.kafka]

    def test_kafka_makes_no_topic_unasked(self, own: TestStack) -> None:
        answer = AdminClient({"bootstrap.servers": own.kafka}).list_topics("unasked", timeout=5)
        assert answer.topics["unasked"].error is not None
