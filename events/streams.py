"""
Names of streams, and the partition that each lives in.

A stream's name begins with what its partition is chosen by: an organisation's id for everything of
that organisation, so that its policy and its people's events stand in one total order.
"""

import re
from functools import lru_cache
from typing import Final

UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
DIGEST: Final = r"[0-9a-f]{64}"
KEY_ID: Final = r"[a-z0-9][a-z0-9-]{0,63}"
COMMAND_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"

_OF_ORGANISATION = re.compile(
    rf"(?P<key>{UUID})/(?:organisation|(?:account|codes|guesses|links|session)/{UUID}"
    rf"|command/{KEY_ID}/{COMMAND_ID})"
)
_OF_USERNAME = re.compile(rf"(?:username|stranger)/(?P<key>{DIGEST})")
_OF_LOG = re.compile(r"log/(?P<partition>0|[1-9][0-9]{0,4})")

LONGEST: Final = 200
"""No stream's name has more characters; a command's has 174 at most."""


def organisation(organisation_id: str) -> str:
    """An organisation itself: its name, its policy."""
    return f"{organisation_id}/organisation"


def account(organisation_id: str, staff_id: str) -> str:
    """What a person is and holds: role, password, second factor."""
    return f"{organisation_id}/account/{staff_id}"


def codes(organisation_id: str, staff_id: str) -> str:
    """Attempts with a right password; only who knows it moves this stream."""
    return f"{organisation_id}/codes/{staff_id}"


def guesses(organisation_id: str, staff_id: str) -> str:
    """Attempts with a wrong password."""
    return f"{organisation_id}/guesses/{staff_id}"


def links(organisation_id: str, staff_id: str) -> str:
    """E-mailed links to a new password, and authenticators proposed by them."""
    return f"{organisation_id}/links/{staff_id}"


def session(organisation_id: str, session_id: str) -> str:
    """The end of one session."""
    return f"{organisation_id}/session/{session_id}"


def command(organisation_id: str, publisher: str, command_id: str) -> str:
    """One command; its first counted record is its outcome, for ever."""
    return f"{organisation_id}/command/{publisher}/{command_id}"


def username(username_digest: str) -> str:
    """Who holds a username."""
    return f"username/{username_digest}"


def stranger(username_digest: str) -> str:
    """Attempts on a username that nobody holds."""
    return f"stranger/{username_digest}"


def log(partition: int) -> str:
    """The partition itself: its genesis and its ticks."""
    return f"log/{partition}"


def kind(stream: str) -> str:
    """The word that says what a stream is about: ``account``, ``username``, ``log``, …"""
    first, _, rest = stream.partition("/")
    return first if first in {"username", "stranger", "log"} else rest.partition("/")[0]


def is_of(stream: str, *, forgetful: bool) -> bool:
    """Whether a stream lives in the strangers' topic, which forgets, or in the history."""
    which = kind(stream)
    return which == "log" or (which == "stranger") is forgetful


def organisation_of(stream: str) -> str | None:
    """The organisation that a stream belongs to, or None for a username's or the log's own."""
    match = _OF_ORGANISATION.fullmatch(stream)
    return match["key"] if match else None


def subject_id(stream: str) -> str:
    """The last word of a stream's name: the person's, session's or command's id."""
    return stream.rpartition("/")[2]


def is_name(text: str) -> bool:
    """Whether *text* has the shape of a stream's name."""
    return len(text) <= LONGEST and _is_name(text)


@lru_cache(maxsize=65_536)
def _is_name(text: str) -> bool:
    return key_of(text) is not None or _OF_LOG.fullmatch(text) is not None


def key_of(stream: str) -> bytes | None:
    """What Kafka's records of *stream* are keyed by; None for the log's own and for no stream."""
    match = _OF_ORGANISATION.fullmatch(stream) or _OF_USERNAME.fullmatch(stream)
    return match["key"].encode() if match else None


def partition_of(stream: str, partitions: int) -> int | None:
    """
    The partition that *stream* belongs to.

    Args:
        stream: A stream's name.
        partitions: The count that the topic's genesis froze.

    Returns:
        A partition below *partitions*; None for a name that is no stream's.
    """
    # Anybody who can write to Kafka makes up names, of any length: such aren't remembered.
    return _partition_of(stream, partitions) if len(stream) <= LONGEST else None


@lru_cache(maxsize=65_536)
def _partition_of(stream: str, partitions: int) -> int | None:
    if match := _OF_LOG.fullmatch(stream):
        partition = int(match["partition"])
        return partition if partition < partitions else None
    key = key_of(stream)
    return None if key is None else partition_for_key(key, partitions)


def partition_for_key(key: bytes, partitions: int) -> int:
    """The partition that Kafka's own default partitioner gives to *key*."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    """MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2)."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15
