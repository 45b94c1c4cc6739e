"""
The record: one CloudEvents 1.0 structured-mode JSON object, canonical, whole in itself.

What an event is written in, the conditions on which it counts, and the writers' MAC. Only these
bytes decide a record's fate; Kafka's headers never do.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from events import canonical, streams
from events.key_id import number
from events.moments import read_moment, write_moment

MAX_BYTES: Final = 64 * 1024
_REMEMBERED_BYTES: Final = 4 * 1024
"""
What is longer is read again instead of remembered. As objects it takes 25 times its length: a
thousand of the longest, which anybody who can write to Kafka may have made up, were 1.5 GiB.
"""
CONTENT_TYPE: Final = "application/cloudevents+json"
NO_HEAD: Final = "-"
"""How `basis` spells that a stream had no counted record yet."""

_REQUIRED: Final = frozenset(
    {
        "specversion", "id", "source", "type", "time", "subject", "datacontenttype",
        "deadline", "actor", "correlationid", "data", "mac",
    }
)  # fmt: skip
_OPTIONAL: Final = frozenset({"previous", "basis", "causationid"})

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_SOURCE = re.compile(r"[a-z0-9][a-z0-9./-]{0,63}")
_TYPE = re.compile(r"twofold\.[a-z0-9_]{1,64}\.v[1-9][0-9]{0,3}")
_ACTOR = re.compile(rf"staff/{streams.UUID}|service/{streams.KEY_ID}|anonymous|system")
_DIGEST = re.compile(streams.DIGEST)
_MAC = re.compile(rf"(?P<key>{streams.KEY_ID})\.(?P<code>[0-9a-f]{{64}})")

Head = str | None
"""The digest of a stream's last counted record; None before the first."""


class MalformedError(ValueError):
    """These bytes are no record; nothing in them is to be believed."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """
    A record's attributes.

    Attributes:
        id: Unique per source; copies and later tries of one event share it.
        source: The service that wrote it, such as ``twofold/auth``.
        type: Permanent wire name with its version, such as ``twofold.password_set.v1``.
        time: The writer's clock; informs people, decides nothing.
        subject: The stream.
        deadline: Append time after which this record no longer counts.
        actor: ``staff/<uuid>``, ``service/<key id>``, ``anonymous`` or ``system``.
        correlation_id: The request.
        data: The event's own fields, as JSON.
        previous: Head of the stream that it follows; None for a first record.
        basis: Other streams of the partition that the decision relied on, with their heads.
        causation_id: The command that led to it.
        mac: ``<key id>.<hex>``; empty before it is sealed.
    """

    id: str
    source: str
    type: str
    time: datetime
    subject: str
    deadline: datetime
    actor: str
    correlation_id: str
    data: Mapping[str, Any] = field(hash=False)
    previous: Head = None
    basis: Mapping[str, Head] = field(default_factory=dict, hash=False)
    causation_id: str | None = None
    mac: str = ""

    @property
    def key_number(self) -> int:
        """How late the key was made that `mac` says made it."""
        return number(self.mac.partition(".")[0])


def seal(envelope: Envelope, key_id: str, key: bytes) -> bytes:
    """
    Write *envelope* under the writers' key.

    Args:
        envelope: Its `mac` is ignored.
        key_id: Names *key* in the key ring.
        key: HMAC-SHA256 key, 32 bytes (RFC 2104).

    Returns:
        Canonical bytes, at most 64 KiB.

    Raises:
        MalformedError: An attribute isn't of its shape, or the record is too long.
    """
    bare = _members(envelope)
    try:
        code = hmac.digest(key, canonical.dumps(bare), sha256).hex()
        members = {**bare, "mac": f"{key_id}.{code}"}
        value = canonical.dumps(members)
    except canonical.NotCanonicalError as error:
        raise MalformedError(str(error)) from error
    if len(value) > MAX_BYTES:
        raise MalformedError("longer than 64 KiB")
    _from_members(members)
    return value


def read(value: bytes) -> Envelope:
    """
    Read a record's bytes, believing nothing that the MAC hasn't shown yet.

    Raises:
        MalformedError: Over 64 KiB, not canonical, or an attribute is missing, unknown or not of
            its shape.
    """
    return _read_again(value) if len(value) <= _REMEMBERED_BYTES else _read(value)


@lru_cache(maxsize=1_024)  # A reader asks once for what to preload, and once to judge.
def _read_again(value: bytes) -> Envelope:
    return _read(value)


def _read(value: bytes) -> Envelope:
    if len(value) > MAX_BYTES:
        raise MalformedError("longer than 64 KiB")
    try:
        members = canonical.loads(value)
    except canonical.NotCanonicalError as error:
        raise MalformedError(str(error)) from error
    if not isinstance(members, dict):
        raise MalformedError("not an object")
    return _from_members(members)


def is_authentic(envelope: Envelope, keys: Mapping[str, bytes]) -> bool:
    """
    Whether one of the writers' *keys* made the MAC of this envelope, as `read` gave it.

    Args:
        envelope: As read.
        keys: HMAC-SHA256 keys by their ids; retired ones stay, or the history turns forged.
    """
    match = _MAC.fullmatch(envelope.mac)
    key = keys.get(match["key"]) if match else None
    if not match or key is None:
        return False
    expected = hmac.digest(key, canonical.dumps(_members(envelope)), sha256).hex()
    return hmac.compare_digest(expected, match["code"])


def write_basis(basis: Mapping[str, Head]) -> str:
    """Spell ``stream=digest`` pairs, sorted, separated by spaces; ``-`` where there's no head."""
    return " ".join(f"{name}={basis[name] or NO_HEAD}" for name in sorted(basis))


def _from_members(members: Mapping[str, Any]) -> Envelope:
    names = members.keys()
    if not names >= _REQUIRED or names - _REQUIRED - _OPTIONAL:
        raise MalformedError("an attribute is missing or unknown")
    data = members["data"]
    if not isinstance(data, dict):
        raise MalformedError("data is not an object")
    if not all(isinstance(members[name], str) for name in names if name != "data"):
        raise MalformedError("an attribute is not a string")
    if members["specversion"] != "1.0" or members["datacontenttype"] != "application/json":
        raise MalformedError("not CloudEvents 1.0 with JSON data")
    if not members["subject"]:
        raise MalformedError("its subject is empty")
    return Envelope(
        id=_shaped(_ID, members["id"]),
        source=_shaped(_SOURCE, members["source"]),
        type=_shaped(_TYPE, members["type"]),
        time=_moment(members["time"]),
        subject=members["subject"],
        deadline=_moment(members["deadline"]),
        actor=_shaped(_ACTOR, members["actor"]),
        correlation_id=_shaped(_ID, members["correlationid"]),
        data=data,
        previous=_shaped(_DIGEST, members["previous"]) if "previous" in members else None,
        basis=_read_basis(members["basis"], members["subject"]) if "basis" in members else {},
        causation_id=_shaped(_ID, members["causationid"]) if "causationid" in members else None,
        mac=_shaped(_MAC, members["mac"]),
    )


def _members(envelope: Envelope) -> dict[str, Any]:
    members: dict[str, Any] = {
        "specversion": "1.0",
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "time": write_moment(envelope.time),
        "subject": envelope.subject,
        "datacontenttype": "application/json",
        "deadline": write_moment(envelope.deadline),
        "actor": envelope.actor,
        "correlationid": envelope.correlation_id,
        "data": envelope.data,
    }
    if envelope.previous is not None:
        members["previous"] = envelope.previous
    if envelope.basis:
        members["basis"] = write_basis(envelope.basis)
    if envelope.causation_id is not None:
        members["causationid"] = envelope.causation_id
    return members


def _read_basis(text: str, subject: str) -> dict[str, Head]:
    basis: dict[str, Head] = {}
    for pair in text.split(" "):
        stream, _, head = pair.rpartition("=")
        if not stream or stream == subject or (head != NO_HEAD and not _DIGEST.fullmatch(head)):
            raise MalformedError("basis is not a list of stream=digest pairs of other streams")
        basis[stream] = None if head == NO_HEAD else head
    if write_basis(basis) != text:
        raise MalformedError("basis is not sorted")
    return basis


def _shaped(shape: re.Pattern[str], text: str) -> str:
    if not shape.fullmatch(text):
        raise MalformedError(f"{text[:80]!r} is not of its attribute's shape")
    return text


def _moment(text: str) -> datetime:
    try:
        return read_moment(text)
    except ValueError as error:
        raise MalformedError(str(error)) from error
