"""Records as a writer of ours would make them, or nearly; for tests of whoever judges them."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from events import canonical, envelope, marks, streams
from events.acceptance import Judged, PartitionState, judge
from events.envelope import Envelope, Head
from events.facts import Fact
from events.moments import to_milliseconds
from events.organisation import OrganisationRegistered
from events.records import Record

KEY_ID, KEY = "k1", b"k" * 32
KEYS = {KEY_ID: KEY, "old": b"o" * 32, "k2": b"n" * 32}
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
GENERATION = "00000000-0000-4000-8000-00000000aaaa"

_numbers = count(1)


def uuid() -> str:
    """A UUID that no other test has."""
    return str(UUID(int=next(_numbers), version=4))


ORGANISATION, PERSON = uuid(), uuid()
STREAM = streams.organisation(ORGANISATION)
ACCOUNT = streams.account(ORGANISATION, PERSON)
CODES = streams.codes(ORGANISATION, PERSON)
STRANGER = streams.stranger("5" * 64)
NOW = to_milliseconds(START)


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(subject: str, fact: Fact | None = None, **attributes: Any) -> Envelope:
    """An event whose attributes are right unless told otherwise."""
    fact = OrganisationRegistered(name="Agency") if fact is None else fact
    told: dict[str, Any] = {
        "id": uuid(),
        "source": "twofold/tests",
        "type": fact.wire_name,
        "time": START,
        "subject": subject,
        "deadline": later(10),
        "actor": "system",
        "correlation_id": "request-1",
        "data": fact.to_json(),
    }
    return Envelope(**(told | attributes))


def sealed(subject: str, fact: Fact | None = None, **attributes: Any) -> bytes:
    return envelope.seal(event(subject, fact, **attributes), KEY_ID, KEY)


def genesis(partition: int = 0, partitions: int = 1, **attributes: Any) -> bytes:
    fact = marks.Genesis(generation=GENERATION, partitions=partitions)
    told: dict[str, Any] = {"id": f"genesis-{partition}"} | attributes
    return sealed(streams.log(partition), fact, **told)


def altered(value: bytes, **members: Any) -> bytes:
    """*value* with other members, its MAC left as it was; None takes one away."""
    told = {**canonical.loads(value), **members}
    return canonical.dumps({name: member for name, member in told.items() if member is not None})


class Partition:
    """One partition, judged as it is written: `put` appends *value* at a moment."""

    def __init__(self, *, partition: int = 0, partitions: int = 1) -> None:
        self.state = PartitionState(partition)
        self.records: list[Record] = []
        self.put(genesis(partition, partitions))

    def put(self, value: bytes | None, at: float = 0) -> Judged:
        """
        Append *value*, *at* seconds after the start.

        Raises:
            HaltError: As the rule says.
        """
        next_offset = self.state.next_offset or 0
        record = Record(next_offset, to_milliseconds(later(at)), value)
        judged = judge(self.state, record, KEYS)
        self.records.append(record)
        return judged

    def head(self, stream: str) -> Head:
        return self.state.heads.get(stream)
