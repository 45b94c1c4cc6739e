"""One whole running system to attack, seen from outside, and the people who use it."""

import asyncio
import json
import sys
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from events import topics
from events.keys import KeyRing
from events.log import broker
from events.streams import partition_for_key
from infra.local.ports import free_port
from infra.local.processes import Process
from services.demo.flows import AHEAD, World
from services.demo.world import Answer, Log, Mailbox, Publisher, Somebody, Web
from services.projections import schema
from services.publisher import PublisherKey
from services.staff.publishers import OPERATOR
from services.up import keys
from tests.browser.system import PREFIX
from tests.stack import TestStack

HOME = "00000000-0000-4000-8000-000000000001"
AUDIENCE = "tests/twofold.commands"
SETUP_NEW, KEEP, NO_THANKS = "setup_new", "keep_existing", "no_thanks"
CHOICES = (NO_THANKS, KEEP, SETUP_NEW)
PARTITIONS = 2
HALF_AN_HOUR = timedelta(minutes=31)


@dataclass(frozen=True, slots=True)
class Written:
    """A record that stands in a topic."""

    partition: int
    offset: int
    at: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def members(self) -> dict[str, Any]:
        """What its JSON holds; nothing where it is none."""
        try:
            found = json.loads(self.value or b"")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Recorded(Web):
    """One HTTP service, whose answers are kept so that secrets can be searched for in them."""

    def __init__(self, url: str, kept: list[bytes], source: str | None = None) -> None:
        """
        Args:
            url: Of the service.
            kept: Takes the answers.
            source: Address of this machine to come from; None: any.
        """
        super().__init__(url)
        self._client = httpx.Client(
            base_url=url,
            timeout=60,
            trust_env=False,
            transport=httpx.HTTPTransport(
                local_address=source, limits=httpx.Limits(max_connections=200)
            ),
            event_hooks={"response": [lambda response: _keep(response, kept)]},
        )

    def send(self, method: str, path: str, **what: Any) -> httpx.Response:
        """Any request, as it is."""
        return self._client.request(method, path, **what)

    def close(self) -> None:
        self._client.close()


def _keep(response: httpx.Response, kept: list[bytes]) -> None:
    response.read()
    heads = b"\n".join(name + b": " + value for name, value in response.headers.raw)
    kept.append(str(response.url).encode() + b"\n" + heads + b"\n\n" + response.content)


@dataclass(slots=True, kw_only=True)
class Attacked(World):
    """
    The system.

    Attributes:
        folder: Logs, mails, keys.
        ahead: A fourth, 400 days ahead: there no pause and no link lasts.
        auths: Three auth services, each in a process of its own; the first is `auth`.
        later: An auth service half an hour and a minute ahead.
        late_staff: A staff service a quarter of an hour ahead, for which no step-up is fresh.
        projections: The projector's health and metrics.
        inside: Those of `auth` and of `staff`, for whoever runs them.
        processes: Who runs what, by name.
        stack: The servers.
        database: URL of the system's database.
        prefix: Of its topics' names.
        ring: Its keys: no attacker has them; for telling what a stolen one could do.
        answers: Every HTTP answer that was given.
    """

    ahead: Recorded
    staff: Recorded
    folder: Path
    auths: list[Recorded]
    later: Recorded
    late_staff: Recorded
    projections: Recorded
    inside: Mapping[str, Recorded]
    processes: Mapping[str, Process]
    stack: TestStack
    database: str
    prefix: str
    ring: KeyRing = field(repr=False)
    answers: list[bytes] = field(repr=False)

    def topic(self, name: str) -> str:
        """What the topic of that name is called here."""
        return f"{self.prefix}.{name}"

    def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """Rows of the system's database."""

        async def rows() -> list[Any]:
            path = {"search_path": schema.name()}
            connection = await asyncpg.connect(self.database, server_settings=path)
            try:
                return list(await connection.fetch(statement, *arguments))
            finally:
                await connection.close()

        return asyncio.run(rows())

    def mails(self, somebody: Somebody) -> list[str]:
        """What was mailed to them, as it went over the wire."""
        texts = [content.decode() for _, content in self.mailbox.contents()]
        return [text for text in texts if somebody.email in text]

    def log_of(self, process: str) -> str:
        """What a process has logged."""
        return (self.folder / f"{process}.log").read_text()

    def records(self, topic: str) -> list[Written]:
        """Every record that stands in a topic, from its start."""
        return read_all(self.stack.kafka, self.topic(topic))

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: str | bytes = b"",
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = -1,
    ) -> None:
        """Write to a topic, as whoever has access to Kafka alone could."""
        failures: list[Any] = []
        producer = Producer({"bootstrap.servers": self.stack.kafka, "partitioner": "murmur2"})
        producer.produce(
            self.topic(topic), value, key, partition, headers=list(headers),
            on_delivery=lambda error, _: failures.extend([error] if error else []),
        )  # fmt: skip
        assert producer.flush(10) == 0
        assert not failures, failures

    def place(self, command: bytes, organisation_id: str, key_id: str, key: bytes) -> None:
        """Publish a signed command without waiting for what becomes of it."""
        signature = b64encode(Ed25519PrivateKey.from_private_bytes(key).sign(command))
        headers = [("keyid", key_id.encode()), ("signature", signature)]
        self.produce("twofold.commands", command, organisation_id, headers)

    def outcome_of(self, command_id: str) -> dict[str, Any]:
        """What the history says became of a command."""
        statement = "SELECT outcome, reason FROM command_outcome WHERE command_id = $1"
        return dict(until(lambda: self.fetch(statement, command_id))[0])

    def step_up(self, somebody: Somebody) -> Answer:
        """Prove both factors again in their session."""
        body = {"password": somebody.password, "code": somebody.app.code()}
        return self.auth.post("/api/step-up", body, somebody.session)

    def administrator(self, organisation_id: str) -> Somebody:
        """An administrator with 2FA who has just logged in."""
        made = self.join(organisation_id, "administrator", SETUP_NEW)
        self.logged_in(made)
        return made

    def publisher(self, key_id: str, key: bytes) -> Publisher:
        """Another service that publishes commands with that key."""
        outcomes = Log(self.stack.kafka, self.topic("twofold.command-outcomes"))
        commands = self.topic("twofold.commands")
        return Publisher(self.stack.kafka, AUDIENCE, key_id, key, outcomes, commands)


def beside(organisation_id: str) -> int:
    """The partition that an organisation's commands stand in."""
    return partition_for_key(organisation_id.encode(), PARTITIONS)


def webs_of(world: Attacked) -> list[Recorded]:
    """Every service."""
    others = [world.ahead, world.later, world.staff, world.late_staff, world.projections]
    return [*world.auths, *others, *world.inside.values()]


def until(found: Callable[[], Any], within_s: float = 20) -> Any:
    """What *found* gives once it is true."""
    last = time.monotonic() + within_s
    while not (value := found()):
        assert time.monotonic() < last, "nothing of the kind came"
        time.sleep(0.05)
    return value


def read_all(bootstrap: str, topic: str) -> list[Written]:
    """Every record of a topic up to its present ends."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"attacks-{uuid.uuid4()}",
         "enable.auto.commit": False}
    )  # fmt: skip
    try:
        found: list[Written] = []
        for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
            place = TopicPartition(topic, partition, OFFSET_BEGINNING)
            low, high = consumer.get_watermark_offsets(place, 10)
            if low == high:
                continue
            place.offset = low
            consumer.assign([place])
            left = high - low
            while left > 0:
                messages = consumer.consume(min(left, 1000), 5)
                found += [_written(message) for message in messages]
                left -= len(messages)
                assert messages, f"{topic} can't be read to its end"
        return found
    finally:
        consumer.close()


def _written(message: Message) -> Written:
    assert message.error() is None, message.error()
    headers = tuple((str(one[0]), one[1]) for one in message.headers() or [])
    place = (message.partition() or 0, message.offset() or 0, message.timestamp()[1])
    return Written(*place, message.key() or b"", message.value(), headers)  # type: ignore[arg-type]


@contextmanager
def running_system(stack: TestStack, folder: Path) -> Iterator[Attacked]:
    """Every service in processes of their own, on a database and on topics that nobody else has."""
    name = f"attacked_{uuid.uuid4().hex[:12]}"
    key_files = keys.KeyFiles.under(folder / "keys")
    ring = keys.generate(key_files)
    _administer(stack, f"CREATE DATABASE {name} TEMPLATE template0")
    database = urlunsplit(urlsplit(stack.database)._replace(path=f"/{name}"))
    ports = {
        part: free_port()
        for part in (
            "auth",
            "b",
            "c",
            "ahead",
            "later",
            "staff",
            "late",
            "fold",
            "in-auth",
            "in-staff",
        )
    }
    url = {part: f"http://127.0.0.1:{port}" for part, port in ports.items()}
    told = {
        "TWOFOLD_MODE": "development",
        "TWOFOLD_ENVIRONMENT": "tests",
        "TWOFOLD_KAFKA": stack.kafka,
        "TWOFOLD_DATABASE": database,
        "TWOFOLD_KEYS": str(key_files.ring),
        "TWOFOLD_PUBLISHERS": str(key_files.publishers),
        "TWOFOLD_AUTH_URL": url["auth"],
        "TWOFOLD_STAFF_URL": url["staff"],
        "TWOFOLD_SMTP": f"127.0.0.1:{free_port()}",
        "TWOFOLD_TEST_MAIL": str(folder / "mail"),
        PREFIX: name,
    }
    _create_topics(stack, name, ring)
    services = {
        "projections": [f"projections:{ports['fold']}"],
        "auth": [f"auth:{ports['auth']}:0:{ports['in-auth']}"],
        "auth-b": [f"auth:{ports['b']}"],
        "auth-c": [f"auth:{ports['c']}"],
        "staff": [f"staff:{ports['staff']}:0:{ports['in-staff']}", "mail", "notify"],
        "moved": [
            f"auth:{ports['ahead']}:{int(AHEAD.total_seconds())}",
            f"auth:{ports['later']}:{int(HALF_AN_HOUR.total_seconds())}",
            f"staff-web:{ports['late']}:{15 * 60}",
        ],
    }
    processes = {
        part: Process(
            part,
            [sys.executable, "-m", "tests.attacks.process", *wanted],
            log=folder / f"{part}.log",
            env=told,
            cwd=Path.cwd(),
        )
        for part, wanted in services.items()
    }
    try:
        for process in processes.values():
            process.start()
        for part, process in (
            ("fold", processes["projections"]), ("auth", processes["auth"]),
            ("b", processes["auth-b"]), ("c", processes["auth-c"]),
            ("staff", processes["staff"]), ("ahead", processes["moved"]),
            ("later", processes["moved"]), ("late", processes["moved"]),
        ):  # fmt: skip
            process.wait_for_url(f"{url[part]}/health/ready", timeout=90)
        processes["staff"].wait_for_line("notify.ready", timeout=30)
        world = _world(stack, folder, name, database, url, processes, ring, key_files)
        try:
            yield world
        finally:
            for web in webs_of(world):
                web.close()
    finally:
        for process in processes.values():
            process.kill()
        _administer(stack, f"DROP DATABASE {name} WITH (FORCE)")


def _world(
    stack: TestStack,
    folder: Path,
    name: str,
    database: str,
    url: Mapping[str, str],
    processes: Mapping[str, Process],
    ring: KeyRing,
    key_files: keys.KeyFiles,
) -> Attacked:
    answers: list[bytes] = []
    webs = {part: Recorded(where, answers) for part, where in url.items()}
    operator = PublisherKey.load(key_files.operator)
    outcomes = Log(stack.kafka, f"{name}.twofold.command-outcomes")
    commands = f"{name}.twofold.commands"
    world = Attacked(
        auth=webs["auth"],
        ahead=webs["ahead"],
        staff=webs["staff"],
        log=Log(stack.kafka, f"{name}.twofold.events"),
        vault=Log(stack.kafka, f"{name}.twofold.vault"),
        mailbox=Mailbox(folder / "mail"),
        operator=Publisher(stack.kafka, AUDIENCE, OPERATOR, operator.key, outcomes, commands),
        support=Somebody("", "", "", ""),
        console=Console(quiet=True),
        folder=folder,
        auths=[webs["auth"], webs["b"], webs["c"]],
        later=webs["later"],
        late_staff=webs["late"],
        projections=webs["fold"],
        inside={name: webs[f"in-{name}"] for name in ("auth", "staff")},
        processes=processes,
        stack=stack,
        database=database,
        prefix=name,
        ring=ring,
        answers=answers,
    )
    home = {"organisation_id": HOME, "name": "Support"}
    assert world.operator.send("register_organisation", home)["outcome"] == "accepted"
    world.support = world.join(HOME, "support", SETUP_NEW)
    return world


def _create_topics(stack: TestStack, prefix: str, ring: KeyRing) -> None:
    wanted = [replace(topic, name=f"{prefix}.{topic.name}") for topic in topics.ALL]
    asyncio.run(
        broker.create(
            stack.kafka,
            keys=ring.mac.keys,
            key_id=ring.mac.current,
            partitions=PARTITIONS,
            wanted=wanted,
        )
    )


def _administer(stack: TestStack, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(stack.database)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
