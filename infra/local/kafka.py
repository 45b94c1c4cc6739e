"""One Apache Kafka broker from its own jars: KRaft, broker and controller in one process."""

import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.local import ports
from infra.local.errors import ServerFailedError
from infra.local.kafka_jars import jars, java
from infra.local.kafka_security import Security
from infra.local.processes import Process, end_leftover
from infra.local.server import LocalServer

# The broker's settings, without its listeners and folders; docker-compose.yml repeats them.
SETTINGS = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "message.max.bytes": "1048576",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A killed broker is let back in after its old session, so that is short.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "log.cleaner.dedupe.buffer.size": "16777216",
}


class KafkaServer(LocalServer):
    """
    A broker whose data outlives it.

    Args:
        folder: Holds its data, settings and log; made where it is missing.
        port: Where clients connect, on 127.0.0.1.
        say: Told of steps that take long.
        durable: False trades the broker's top speed for a faster start, as tests want it.
        security: TLS, users and access control; None: whoever reaches it may do everything.
    """

    name = "Kafka"

    def __init__(
        self,
        folder: Path,
        port: int,
        say: Callable[[str], None],
        *,
        durable: bool = True,
        security: Security | None = None,
    ) -> None:
        super().__init__(port)
        self.folder = folder
        self._say = say
        self._durable = durable
        self._security = security

    @property
    def address(self) -> str:
        return f"{ports.LOOPBACK}:{self.port}"

    def start(self) -> None:
        """
        Start the broker and wait until it answers clients. Does nothing when it runs.

        Raises:
            PrerequisiteMissingError: No Java, or no jars.
            PortTakenError: Something listens on its port.
            ServerFailedError: It ended, or didn't answer within a minute.
        """
        if self.alive:
            return
        program = java()
        libraries = jars(self._say)
        self.folder.mkdir(parents=True, exist_ok=True)
        pid_file = self.folder / "pid"
        if left := end_leftover(pid_file, signal.SIGTERM):
            self._say(f"Stopped Kafka as an earlier run had left it (process {left}).")
        ports.claim(self.port, "Kafka", "TWOFOLD_KAFKA_PORT")
        settings = self._write_settings()
        virtual_machine = [program, "-cp", f"{libraries}/*", "-XX:+UseSerialGC", "-Xshare:auto"]
        cluster = self._cluster_id()
        self._format([*virtual_machine, "-XX:TieredStopAtLevel=1"], settings, cluster)
        self._process = Process(
            "Kafka",
            [
                *virtual_machine,
                "-Xms256m",
                "-Xmx512m",
                *([] if self._durable else ["-XX:TieredStopAtLevel=1"]),
                "-Djava.awt.headless=true",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                "kafka.Kafka",
                str(settings),
            ],
            log=self.folder / "log",
            cwd=self.folder,
            pid_file=pid_file,
        )
        self._process.start()
        try:
            self._wait_until_it_answers(self._process, cluster)
        except BaseException:
            self._process.kill()
            raise

    def _cluster_id(self) -> str:
        file = self.folder / "cluster-id"
        while not file.exists() or file.read_text().startswith(
            "-"
        ):  # It would look like an option.
            file.write_text(urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
        return file.read_text().strip()

    def _write_settings(self) -> Path:
        # The controller has one voter, itself, so its port may be another one at each start.
        controller = f"{ports.LOOPBACK}:{ports.free_port()}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "data"),
            **SETTINGS,
        }
        if self._security is None:
            settings |= {
                "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
                "advertised.listeners": f"PLAINTEXT://{self.address}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            }
        else:
            settings |= self._security.broker(self.address, controller)
        file = self.folder / "server.properties"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return file

    def _format(self, virtual_machine: list[str], settings: Path, cluster: str) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        tool = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "kafka.tools.StorageTool"]
        done = subprocess.run(
            [
                *virtual_machine,
                *tool,
                *("format", "-t", cluster, "-c", str(settings), "-g"),
                *(self._security.first_users() if self._security else ()),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
            raise ServerFailedError(
                f"Kafka's data folder {self.folder / 'data'} couldn't be prepared: {said[-1]}"
            )

    def _wait_until_it_answers(self, process: Process, cluster: str) -> None:
        end = time.monotonic() + 60
        while ports.is_free(self.port):
            process.still_starting(end)
        admin = AdminClient(
            {
                "bootstrap.servers": self.address,
                "log_level": 0,
                **(self._security.client() if self._security else {}),
            }
        )
        while True:
            try:
                answer = admin.list_topics(timeout=1)
            except KafkaException:
                process.still_starting(end)
                continue
            if answer.brokers and str(answer.cluster_id) == cluster:
                return
            process.still_starting(end)
