"""
The running system, seen from outside: HTTP, a mailbox, Kafka, and people with authenticators.

Nothing here asks the services' own code what happened: answers are read as JSON, records as the raw
bytes that a consumer of its own gets.
"""

import json
import re
import time
from base64 import b32decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pyotp
from confluent_kafka import Consumer, Producer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PATIENCE_S = 15.0
STEP_S = 30


class NotShownError(AssertionError):
    """A step of the walk-through didn't show what it must."""


def wait_until(what: str, found: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """
    What *found* returns once it isn't None.

    Raises:
        NotShownError: It stays None for *within_s* seconds.
    """
    last = time.monotonic() + within_s
    while time.monotonic() < last:
        if (value := found()) is not None:
            return value
        time.sleep(0.05)
    raise NotShownError(f"{what}: nothing of the kind within {within_s:.0f} s")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: dict[str, Any]
    headers: httpx.Headers

    @property
    def problem(self) -> str:
        """The name that its problem's type ends in."""
        return str(self.body.get("type", "")).rpartition("/")[2]

    def expect(self, status: int, problem: str | None = None, **members: Any) -> "Answer":
        """
        This answer, if it is what must be answered.

        Raises:
            NotShownError: It isn't.
        """
        wrong = {k: self.body.get(k) for k, v in members.items() if self.body.get(k) != v}
        if self.status != status or (problem and self.problem != problem) or wrong:
            raise NotShownError(
                f"expected {status} {problem or ''} {members}, got {self.status} {self.body}"
            )
        return self


class Web:
    """One HTTP service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def post(
        self, path: str, body: Any, token: str | None = None, key: str | None = None
    ) -> Answer:
        """POST *body* as JSON, with a bearer *token* and an Idempotency-Key."""
        headers = _bearer(token) | ({"Idempotency-Key": key} if key else {})
        return _answer(self._client.post(path, json=body, headers=headers))

    def get(self, path: str, token: str | None = None) -> Answer:
        """GET, with a bearer *token*."""
        return _answer(self._client.get(path, headers=_bearer(token)))

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()


class Mailbox:
    """The folder in which the development mail sink leaves each e-mail as a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def links(self, address: str) -> list[str]:
        """Tickets of the links that were mailed to *address*, oldest first."""
        found = []
        for _, content in self.contents():
            mail = message_from_bytes(content, policy=policy.default)
            body = mail.get_body(("plain",))
            if address in str(mail["To"]) and body is not None:
                found += re.findall(r"/password/([A-Za-z0-9_-]{20,})", body.get_content())
        return found

    def contents(self) -> list[tuple[Path, bytes]]:
        """Every mail, oldest first; one that was sent again may just be replacing its copy."""
        mails = []
        for path in self._folder.glob("*.eml"):
            with suppress(FileNotFoundError):
                mails.append((path.stat().st_mtime_ns, path, path.read_bytes()))
        return [(path, content) for _, path, content in sorted(mails)]

    def next_link(self, address: str, seen: int) -> str:
        """The ticket of the link that comes after the first *seen* ones."""

        def newer() -> str | None:
            links = self.links(address)
            return links[seen] if len(links) > seen else None

        return str(wait_until(f"a link to {address}", newer))


@dataclass(slots=True)
class Log:
    """An independent consumer of a topic, which knows nothing of the acceptance rule."""

    bootstrap: str
    topic: str
    records: list[dict[str, Any]] = field(default_factory=list)
    marked: int = 0
    _consumer: Consumer = field(init=False)

    def __post_init__(self) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": f"demo-{uuid4()}",
             "enable.auto.commit": False, "log_level": 0}
        )  # fmt: skip
        found = self._consumer.list_topics(self.topic, 10).topics[self.topic].partitions
        ends = []
        for partition in found:
            end = self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), 10)[1]
            ends.append(TopicPartition(self.topic, partition, end))
        self._consumer.assign(ends)

    def poll(self, timeout_s: float = 0.05) -> None:
        """Take what has come."""
        for message in self._consumer.consume(500, timeout_s):
            if message.error() is None:
                record = _read(message.value())
                record["_key"] = (message.key() or b"").decode()
                record["_place"] = (message.partition(), message.offset())
                self.records.append(record)

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def mark(self) -> None:
        """From here on, `expect` looks at newer records alone."""
        self.poll()
        self.marked = len(self.records)

    def new(self, subject: str, kind: str) -> Iterator[dict[str, Any]]:
        """Records since the mark about *subject* whose type is *kind*'s."""
        for record in self.records[self.marked :]:
            if str(record.get("subject")).endswith(subject) and f".{kind}.v" in str(
                record.get("type")
            ):
                yield record

    def expect(self, subject: str, kind: str, **data: Any) -> dict[str, Any]:
        """
        The first record since the mark about *subject*, of type *kind*, with *data*.

        Raises:
            NotShownError: None comes.
        """

        def found() -> dict[str, Any] | None:
            self.poll()
            for record in self.new(subject, kind):
                if all(record["data"].get(k) == v for k, v in data.items()):
                    return record
            return None

        return dict(wait_until(f"a {kind} {data} on …{subject}", found))

    def expect_none(self, subject: str, kind: str) -> None:
        """
        Check that no record of *kind* about *subject* has come since the mark.

        Raises:
            NotShownError: One has.
        """
        self.poll(0.5)
        for record in self.new(subject, kind):
            raise NotShownError(f"there must be no {kind} on …{subject}: {record['data']}")


def _read(value: bytes | None) -> dict[str, Any]:
    """A record's members; none where it is no record of ours."""
    try:
        record = json.loads(value or b"")
    except ValueError:
        return {}
    return dict(record) if isinstance(record, dict) else {}


class Authenticator:
    """An authenticator app: gives each code once, the earlier of two good ones first."""

    def __init__(self, secret: str, ahead: timedelta = timedelta(0)) -> None:
        self._totp = pyotp.TOTP(secret.replace(" ", ""))
        self._ahead = ahead
        self.last = -1
        b32decode(self._totp.secret)

    def code(self, ahead: timedelta | None = None) -> str:
        """The next code that a server can accept; waits for the next time-step if it must."""
        while True:
            now = datetime.now(UTC) + (self._ahead if ahead is None else ahead)
            current = int(now.timestamp()) // STEP_S
            step = max(current - 1, self.last + 1)
            nearly_over = step == current - 1 and now.timestamp() % STEP_S > STEP_S - 3
            if step <= current and not nearly_over:
                self.last = step
                return self._totp.generate_otp(step)
            if nearly_over:
                self.last = step
                continue
            time.sleep(0.2)

    def wrong(self) -> str:
        """Six digits that are no code of this hour."""
        now = int(datetime.now(UTC).timestamp()) // STEP_S
        near = {self._totp.generate_otp(now + d) for d in range(-3, 140)}
        return next(f"{n:06d}" for n in range(1000) if f"{n:06d}" not in near)


@dataclass(slots=True)
class Somebody:
    """A person of the staff."""

    organisation_id: str
    staff_id: str
    username: str
    email: str
    password: str = ""
    authenticator: Authenticator | None = None
    last_app: Authenticator | None = None
    links_seen: int = 0
    session: str = ""
    device: str | None = None

    def take(self, new: Authenticator | None) -> None:
        """A new authenticator is in force; what the old one's codes burned stays burned."""
        if new and self.last_app:
            new.last = max(new.last, self.last_app.last)
        self.authenticator = self.last_app = new

    @property
    def app(self) -> Authenticator:
        """
        Their authenticator.

        Raises:
            NotShownError: They have none.
        """
        if self.authenticator is None:
            raise NotShownError(f"{self.username} should have an authenticator")
        return self.authenticator

    @property
    def account(self) -> str:
        """Their account's stream."""
        return f"{self.organisation_id}/account/{self.staff_id}"

    @property
    def codes(self) -> str:
        """Their codes' stream."""
        return f"{self.organisation_id}/codes/{self.staff_id}"

    @property
    def guesses(self) -> str:
        """Their guesses' stream."""
        return f"{self.organisation_id}/guesses/{self.staff_id}"

    @property
    def links(self) -> str:
        """Their links' stream."""
        return f"{self.organisation_id}/links/{self.staff_id}"


class Publisher:
    """Another service: publishes signed commands, and learns what became of each."""

    def __init__(
        self,
        bootstrap: str,
        audience: str,
        key_id: str,
        key: bytes,
        outcomes: Log,
        topic: str = "twofold.commands",
    ) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})
        self._topic = topic
        self._audience, self._key_id, self._outcomes = audience, key_id, outcomes
        self._key = Ed25519PrivateKey.from_private_bytes(key)

    def close(self) -> None:
        """Let go of the broker."""
        self._outcomes.close()

    def send(
        self,
        name: str,
        data: dict[str, Any],
        command_id: str | None = None,
        actor: str | None = None,
    ) -> dict[str, Any]:
        """Publish a command, and wait for its outcome."""
        command_id = command_id or str(uuid4())
        value = self.write(name, data, command_id, actor)
        return self.publish(value, command_id, data["organisation_id"])

    def write(
        self, name: str, data: dict[str, Any], command_id: str, actor: str | None = None
    ) -> bytes:
        """A command's bytes."""
        now = datetime.now(UTC)
        command = {
            "specversion": "1.0",
            "id": command_id,
            "source": "demo",
            "type": f"twofold.command.{name}.v1",
            "time": now.isoformat(),
            "datacontenttype": "application/json",
            "audience": self._audience,
            "expiry": (now + timedelta(minutes=10)).isoformat(),
            "actor": actor or f"service/{self._key_id}",
            "data": data,
        }
        return json.dumps(command).encode()

    def publish(
        self, value: bytes, command_id: str, key: str, signature: bytes | None = None
    ) -> dict[str, Any]:
        """Publish a command's bytes, and wait for the outcome that comes after this."""
        signed = b64encode(self._key.sign(value)) if signature is None else signature
        self._outcomes.mark()
        self._producer.produce(
            self._topic, value, key.encode(),
            headers=[("keyid", self._key_id.encode()), ("signature", signed)],
        )  # fmt: skip
        self._producer.flush(10)

        def found() -> dict[str, Any] | None:
            self._outcomes.poll()
            for record in self._outcomes.records[self._outcomes.marked :]:
                outcome = record.get("data", record)
                named = command_id in (record["_key"], outcome.get("command_id"))
                if named and record.get("publisher") == self._key_id:
                    return dict(outcome)
            return None

        return dict(wait_until(f"the outcome of command {command_id}", found))


def _answer(response: httpx.Response) -> Answer:
    try:
        body = response.json() if response.content else {}
    except ValueError:
        body = {"text": response.text[:200]}
    return Answer(response.status_code, body, response.headers)


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
