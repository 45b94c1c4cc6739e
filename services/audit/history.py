"""
Where the history is read: from Kafka, or from a file that somebody dumped.

A dump is JSON lines: first what it is of, then each record with its exact bytes (base64) and the
fate that the dump's writer saw, partition after partition, and the checkpoints that had been
published. Whoever holds it needs no server.
"""

import gzip
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol, Self, cast

from confluent_kafka import KafkaException

from events import topics
from events.log.bulk import bounds, bulk_messages, bulk_read
from events.log.clients import Connection, admin
from events.log.reach import away
from events.moments import from_milliseconds
from events.records import Fate, Record

FORMAT: Final = "twofold-history/1"
_AT_ONCE: Final = 2_000
_LONGEST_LINE: Final = 1024 * 1024
"""Characters; Kafka takes records of 256 KiB. A packed dump may hold a line of terabytes."""


class AuditError(Exception):
    """What was asked can't be shown; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Span:
    """One partition's records, as far as they reached when the reading began."""

    partition: int
    start: int
    end: int


Entry = tuple[Record, Fate | None]
"""A record, and the fate that somebody else saw; None where nobody says."""


class History(Protocol):
    """A history that can be read from its start."""

    @property
    def topic(self) -> str:
        """Its name."""
        ...

    @property
    def spans(self) -> Sequence[Span]:
        """What there is, by partition."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Checkpoints that lie beside it, signed by whomever."""
        ...

    def read(
        self, partitions: Collection[int] | None = None
    ) -> Iterator[tuple[int, Sequence[Entry]]]:
        """
        Records in the order of each partition, some at a time, with their partition.

        Raises:
            LogUnavailableError: The broker went away.
            AuditError: The file isn't what it should be.
        """
        ...


class KafkaHistory:
    """The history as Kafka holds it."""

    def __init__(
        self,
        kafka: Connection | str,
        *,
        topic: str = topics.EVENTS.name,
        checkpoints: str = topics.CHECKPOINTS.name,
    ) -> None:
        """
        Find how far the log reaches.

        Args:
            kafka: Where.
            topic: The history.
            checkpoints: Its checkpoints.

        Raises:
            LogUnavailableError: The broker is away.
            AuditError: There is no such topic.
        """
        self._kafka, self._checkpoints, self.topic = kafka, checkpoints, topic
        found = self._partitions(topic)
        if not found:
            raise AuditError(f"There is no topic {topic}; make it with: twofold topics create")
        self.spans: Sequence[Span] = [Span(p, *bounds(kafka, topic, p)) for p in found]

    @property
    def notes(self) -> Sequence[str]:
        """
        Raises:
            LogUnavailableError: The broker went away.
        """
        found = []
        for partition in self._partitions(self._checkpoints):
            start, end = bounds(self._kafka, self._checkpoints, partition)
            for messages in bulk_messages(self._kafka, self._checkpoints, partition, start, end):
                found += [(one.value() or b"").decode("utf-8", "replace") for one in messages]
        return found

    def read(
        self, partitions: Collection[int] | None = None
    ) -> Iterator[tuple[int, Sequence[Entry]]]:
        for span in self.spans:
            if partitions is None or span.partition in partitions:
                for records in bulk_read(
                    self._kafka, self.topic, span.partition, span.start, span.end
                ):
                    yield span.partition, [(record, None) for record in records]

    def _partitions(self, topic: str) -> list[int]:
        try:
            # All of them: to ask for one that isn't there could make it.
            found = admin(self._kafka).list_topics(timeout=5).topics.get(topic)
        except KafkaException as error:
            raise away(self._kafka, error) from error
        return sorted(found.partitions) if found else []


class DumpedHistory:
    """The history as a dump holds it."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            AuditError: It can't be read, or is no dump.
        """
        self._path = path
        header = next(self._lines(), {})
        if header.get("format") != FORMAT:
            raise self._damaged()
        try:
            self.topic = str(header["topic"])
            self.spans: Sequence[Span] = [
                Span(int(one["partition"]), int(one["start"]), int(one["end"]))
                for one in header["partitions"]
            ]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._damaged() from None
        if not self.spans:
            raise self._damaged()  # Of nothing there would be nothing wrong.

    @property
    def notes(self) -> Sequence[str]:
        return [str(line["checkpoint"]) for line in self._lines() if "checkpoint" in line]

    def read(
        self, partitions: Collection[int] | None = None
    ) -> Iterator[tuple[int, Sequence[Entry]]]:
        here, entries = -1, list[Entry]()
        for line in self._lines():
            if "offset" not in line:
                continue
            partition, entry = self._entry(line)
            if partitions is not None and partition not in partitions:
                continue
            if entries and (partition != here or len(entries) >= _AT_ONCE):
                yield here, entries
                entries = []
            here = partition
            entries.append(entry)
        if entries:
            yield here, entries

    def _entry(self, line: dict[str, Any]) -> tuple[int, Entry]:
        try:
            value, fate = line["value"], line.get("fate")
            from_milliseconds(int(line["append_time_ms"]))
            record = Record(
                offset=int(line["offset"]),
                append_time_ms=int(line["append_time_ms"]),
                value=None if value is None else b64decode(value, validate=True),
                broker_time=line["broker_time"] is True,
            )
            return int(line["partition"]), (record, None if fate is None else Fate(fate))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._damaged() from None

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            with _opened(self._path, "r") as file:
                while text := file.readline(_LONGEST_LINE):
                    line = json.loads(text)
                    if not isinstance(line, dict):
                        raise self._damaged()
                    yield line
        except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
            if isinstance(error, FileNotFoundError):
                raise AuditError(f"There is no {self._path}.") from error
            raise self._damaged() from error

    def _damaged(self) -> AuditError:
        return AuditError(f"{self._path} is no dump of a history, or was damaged.")


class Dump:
    """Writes a dump; a context manager."""

    def __init__(self, path: Path, history: History) -> None:
        """
        Raises:
            AuditError: The file exists already, or can't be written.
        """
        try:
            self._file: IO[str] = _opened(path, "x")
        except FileExistsError as error:
            raise AuditError(f"{path} exists already.") from error
        except OSError as error:
            raise AuditError(f"{path} can't be written: {error.strerror}.") from error
        spans = [
            {"partition": one.partition, "start": one.start, "end": one.end}
            for one in history.spans
        ]
        self._write({"format": FORMAT, "topic": history.topic, "partitions": spans})
        for note in history.notes:
            self._write({"checkpoint": note})

    def add(self, partition: int, record: Record, fate: Fate | None) -> None:
        """One record more; in the order of its partition."""
        value = record.value
        told: dict[str, object] = {
            "partition": partition,
            "offset": record.offset,
            "append_time_ms": record.append_time_ms,
            "broker_time": record.broker_time,
            "value": None if value is None else b64encode(value).decode(),
        }
        self._write(told if fate is None else told | {"fate": str(fate)})

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, line: dict[str, object]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _opened(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, f"{mode}t", encoding="utf-8"))
    return path.open(mode, encoding="utf-8")
