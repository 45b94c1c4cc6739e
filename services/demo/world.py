"""
The running system, seen from outside: HTTP, a mailbox, and the history in Kafka.

Nothing here asks the services' own code what happened: answers are read as JSON, records as the raw
bytes that a consumer of its own gets.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from confluent_kafka import Consumer, KafkaException, TopicPartition

PATIENCE_S = 15.0


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
    _next: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": f"demo-{uuid4()}",
             "enable.auto.commit": False, "log_level": 0, "fetch.wait.max.ms": 10}
        )  # fmt: skip
        found = self._consumer.list_topics(self.topic, 10).topics[self.topic].partitions
        self._next = {partition: self._end(partition) for partition in found}
        self._consumer.assign([TopicPartition(self.topic, *place) for place in self._next.items()])

    def poll(self, timeout_s: float = 0.05) -> None:
        """Take what has come."""
        for message in self._consumer.consume(500, timeout_s):
            if message.error() is None:
                record = _read(message.value())
                record["_key"] = (message.key() or b"").decode()
                record["_place"] = partition, offset = message.partition(), message.offset()
                self._next[partition or 0] = (offset or 0) + 1
                self.records.append(record)

    def catch_up(self) -> None:
        """
        Take everything that stands in the topic by now: whatever was answered is among it.

        Raises:
            NotShownError: It can't be read.
        """
        try:
            ends = {partition: self._end(partition) for partition in self._next}
        except KafkaException as error:
            raise NotShownError(f"{self.topic} can't be read: {error}") from error

        def is_there() -> bool | None:
            if all(self._next[partition] >= end for partition, end in ends.items()):
                return True
            self.poll()
            return None

        wait_until(f"all of {self.topic}", is_there)

    def _end(self, partition: int) -> int:
        place = TopicPartition(self.topic, partition)
        return int(self._consumer.get_watermark_offsets(place, 10)[1])

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def mark(self) -> None:
        """From here on, `expect` looks at newer records alone."""
        self.catch_up()
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

    def expect_none(self, subject: str, kind: str, *, for_s: float = 0) -> None:
        """
        Check that no record of *kind* about *subject* has come since the mark.

        Args:
            subject: What its subject ends in.
            kind: Its type's name, without its version.
            for_s: Nor comes for so long, where what might cause it goes on behind.

        Raises:
            NotShownError: One has.
        """
        last = time.monotonic() + for_s
        while time.monotonic() < last:
            self.poll()
        self.catch_up()
        for record in self.new(subject, kind):
            raise NotShownError(f"there must be no {kind} on …{subject}: {record['data']}")


def _read(value: bytes | None) -> dict[str, Any]:
    """A record's members; none where it is no record of ours."""
    try:
        record = json.loads(value or b"")
    except ValueError:
        return {}
    return dict(record) if isinstance(record, dict) else {}


def _answer(response: httpx.Response) -> Answer:
    try:
        body = response.json() if response.content else {}
    except ValueError:
        body = {"text": response.text[:200]}
    return Answer(response.status_code, body, response.headers)


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
