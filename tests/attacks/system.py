"""One whole running system to attack, seen from outside, and the people who use it."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from confluent_kafka import Producer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events.keys import KeyRing
from events.streams import partition_for_key
from infra.local.processes import Process
from services.demo.flows import World
from services.demo.people import Somebody
from services.demo.publisher import Publisher
from services.demo.world import Answer, Log, Web
from services.projections import schema
from tests.attacks.records import Written, read_all
from tests.stack import TestStack

HOME = "00000000-0000-4000-8000-000000000001"
AUDIENCE = "tests/twofold.commands"
SETUP_NEW, KEEP, NO_THANKS = "setup_new", "keep_existing", "no_thanks"
CHOICES = (NO_THANKS, KEEP, SETUP_NEW)
PARTITIONS = 2
HALF_AN_HOUR = timedelta(minutes=31)

_FATE = 'SELECT fate FROM recent_record WHERE topic = $1 AND partition = $2 AND "offset" = $3'


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

    def metric(self, name: str) -> float:
        """A metric of the first of `auths`, with its labels as they are written; 0 before any."""
        lines = self.inside["auth"].send("GET", "/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

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

    def counted(self, stream: str, kind: str) -> list[dict[str, Any]]:
        """Records of the history since the mark, of those that counted."""
        self.log.catch_up()
        found = list(self.log.new(stream, kind))
        return [one for one in found if self.fate_of("twofold.events", *one["_place"]) == "counted"]

    def fate_of(self, topic: str, partition: int, offset: int) -> str:
        """What became of a record, once that is known."""
        where = (self.topic(topic), partition, offset)
        return str(until(lambda: self.fetch(_FATE, *where))[0]["fate"])

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: str | bytes = b"",
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = -1,
        codec: str = "none",
    ) -> None:
        """Write to a topic, as whoever has access to Kafka alone could."""
        failures: list[Any] = []
        settings = {"partitioner": "murmur2", "compression.type": codec}
        producer = Producer({"bootstrap.servers": self.stack.kafka, **settings})
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


def resident_mib(pid: int) -> float:
    """Memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError
