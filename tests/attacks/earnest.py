"""
The system as it is run in earnest: production mode, TLS everywhere, a user and a role a service.

Everything in it is made by `twofold` commands, on a Kafka and a PostgreSQL of its own.
"""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from aiosmtpd.controller import Controller

from events.access import BY_NAME
from events.commands import RegisterOrganisation, RegisterStaff
from events.log.clients import Connection
from infra.local.kafka import KafkaServer
from infra.local.kafka_security import ADMINISTRATOR, Security
from infra.local.ports import free_port
from infra.local.postgres import PostgresServer, password
from infra.local.processes import Process
from services.publisher import CommandSender, PublisherKey
from services.up.sink import _Handler
from tests.browser.people import System
from tests.stack import stack_folder

AUDIENCE: Final = "production/twofold.commands"
HOME: Final = "00000000-0000-4000-8000-000000000001"
SERVICES: Final = {"project": "projections", "auth": "auth", "staff": "staff", "notify": "notify"}
"""Commands, and who each connects as."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Earnest:
    """
    The installation.

    Attributes:
        folder: Holds everything.
        kafka: The broker's address.
        security: Its certificates and its administrator's password.
        postgres: The database's port.
        ports: Of the services.
        processes: The services, by their commands.
    """

    folder: Path
    kafka: str
    security: Security
    postgres: int
    ports: Mapping[str, int]
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def ring(self) -> Path:
        return self.folder / "keys" / "keys.json"

    def connection(self, name: str) -> Connection:
        """Kafka, as one of the table's principals, or as ``admin``."""
        if name == ADMINISTRATOR:
            return self._as(ADMINISTRATOR, self.security.password)
        return self._as(BY_NAME[name].user, self._password("kafka", name))

    def database(self, name: str) -> str:
        """PostgreSQL's address, as one of the roles, or as ``admin``, its superuser."""
        user = "twofold" if name == ADMINISTRATOR else f"twofold_{name}"
        secret = (
            password(self.folder) if name == ADMINISTRATOR else self._password("database", name)
        )
        return f"postgresql://{user}:{quote(secret)}@{self._place}"

    @property
    def _place(self) -> str:
        trusted = f"sslmode=verify-full&sslrootcert={self.security.authority}"
        return f"127.0.0.1:{self.postgres}/twofold?{trusted}"

    def _as(self, user: str, secret: str) -> Connection:
        return Connection(
            self.kafka, "SASL_SSL", username=user, password=secret, ca_file=self.security.authority
        )

    def _password(self, what: str, name: str) -> str:
        return (self.folder / "passwords" / f"{what}-{name}").read_text()

    def told(self, name: str, role: str | None = None) -> dict[str, str]:
        """The environment of whoever connects as *name*."""
        if name == ADMINISTRATOR:
            kafka, secrets = ADMINISTRATOR, self.folder / "admin-password"
            database, other = "twofold", self.folder / "postgres-password"
        else:
            kafka, secrets = BY_NAME[name].user, self.folder / "passwords" / f"kafka-{name}"
            role = role or name
            database, other = f"twofold_{role}", self.folder / "passwords" / f"database-{role}"
        return {
            "TWOFOLD_MODE": "production",
            "TWOFOLD_FOLDER": str(self.folder),
            "TWOFOLD_KAFKA": self.kafka,
            "TWOFOLD_KAFKA_SECURITY": "SASL_SSL",
            "TWOFOLD_KAFKA_USERNAME": kafka,
            "TWOFOLD_KAFKA_PASSWORD_FILE": str(secrets),
            "TWOFOLD_KAFKA_CA": str(self.security.authority),
            "TWOFOLD_DATABASE": f"postgresql://{database}@{self._place}",
            "TWOFOLD_DATABASE_PASSWORD_FILE": str(other),
            "TWOFOLD_KEYS": str(self.ring),
            "TWOFOLD_PUBLISHERS": str(self.folder / "keys" / "publishers.toml"),
            "TWOFOLD_AUTH_URL": f"http://127.0.0.1:{self.ports['auth']}",
            "TWOFOLD_STAFF_URL": f"http://127.0.0.1:{self.ports['staff']}",
            "TWOFOLD_SMTP": f"127.0.0.1:{self.ports['smtp']}",
            "SSL_CERT_FILE": str(self.security.authority),  # For the mail server's certificate.
        }

    def run(self, *arguments: str, told: Mapping[str, str]) -> Done:
        """A `twofold` command, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **told},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str, told: Mapping[str, str] | None = None) -> str:
        """The same, as the administrator unless told otherwise; it succeeds."""
        done = self.run(*arguments, told=told or self.told(ADMINISTRATOR))
        assert done.status == 0, (arguments, done)
        return done.out

    def wait_for(self, service: str) -> None:
        """Until it is ready."""
        process = self.processes[service]
        if service in self.ports:
            url = f"http://127.0.0.1:{self.ports[service]}/health/ready"
            process.wait_for_url(url, timeout=90)
        else:
            process.wait_for_line("notify.ready", timeout=60)

    @property
    def system(self) -> System:
        """For people to use."""
        auth, staff = (f"http://127.0.0.1:{self.ports[name]}" for name in ("auth", "staff"))
        return System(self.folder, auth, staff, auth, staff, auth)


@contextmanager
def earnest_system() -> Iterator[Earnest]:
    """Start the servers, make the installation by commands, and start every service."""
    with stack_folder() as folder, ExitStack() as started:
        security = Security.make(folder / "tls", "127.0.0.1")
        kafka = KafkaServer(folder / "kafka", free_port(), _say, durable=False, security=security)
        postgres = PostgresServer(
            folder, free_port(), _say, durable=False, certificate=security.certificate
        )
        started.callback(kafka.kill)
        started.callback(postgres.kill)
        with ThreadPoolExecutor(2) as pool:
            for starting in [pool.submit(kafka.start), pool.submit(postgres.start)]:
                starting.result()
        ports = {name: free_port() for name in ("project", "auth", "staff", "smtp")}
        made = Earnest(folder, kafka.address, security, postgres.port, ports)
        private = folder / "admin-password"
        private.touch(mode=0o600)
        private.write_text(security.password)
        made.must("keys", "generate", "--folder", str(folder / "keys"))
        made.must("topics", "create", "--partitions", "2")
        made.must("topics", "access")
        made.must("database", "roles")
        mail = _mail_server(made)
        mail.start()
        started.callback(mail.stop, no_assert=True)
        for name, principal in SERVICES.items():
            port = ["--port", str(ports[name])] if name in ports else []
            port += ["--metrics-port", "0"] if name in {"auth", "staff"} else []
            process = Process(
                name,
                [sys.executable, "-m", "services.cli", name, *port],
                log=folder / f"{name}.log",
                env=made.told(principal),
                cwd=Path.cwd(),
            )
            process.start()
            started.callback(process.kill)
            made.processes[name] = process
        for name in SERVICES:
            made.wait_for(name)
        _found(made)
        yield made


def _say(_: str) -> None:
    pass


def _mail_server(made: Earnest) -> Controller:
    """With STARTTLS, as production asks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.security.certificate)
    folder = made.folder / "mail"
    folder.mkdir()
    return Controller(
        _Handler(folder),
        hostname="127.0.0.1",
        port=made.ports["smtp"],
        tls_context=context,
        require_starttls=True,
    )


def _found(made: Earnest) -> None:
    """Register support's organisation and its first person, as the publisher's user."""
    operator = PublisherKey.load(made.folder / "keys" / "operator.json")
    told: dict[str, Any] = {
        "staff_id": str(uuid4()),
        "organisation_id": HOME,
        "username": "sue",
        "email": "sue@support.example",
        "display_name": "Sue Marsh",
    }
    with CommandSender(made.connection("publisher"), operator, audience=AUDIENCE) as sender:
        for command in (
            RegisterOrganisation.model_validate({"organisation_id": HOME, "name": "Support"}),
            RegisterStaff.model_validate({**told, "role": "support"}),
        ):
            outcome = sender.send(command)
            assert outcome.outcome == "accepted", outcome
    (made.folder / "founder.json").write_text(json.dumps(told))
