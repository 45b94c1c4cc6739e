"""Kafka's topics: names, keys, settings, and what would make a topic lose history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

DEFAULT_PARTITIONS: Final = 6
_DAY_MS: Final = 24 * 60 * 60 * 1000

COMPACTED_AFTER: Final = timedelta(days=1)
"""How long Kafka may keep what a later value or a tombstone replaces, in a segment that is full."""


@dataclass(frozen=True, slots=True)
class Topic:
    """
    A topic as it must be.

    Attributes:
        name: Kafka's.
        key: What records are keyed by, for people.
        settings: Kafka's topic configuration, exact values.
        history: Losing any of it is losing history: start-up refuses other settings.
        genesis: Each partition begins with a genesis record.
    """

    name: str
    key: str
    settings: Mapping[str, str] = field(hash=False)
    history: bool = False
    genesis: bool = False


_STORED = {"compression.type": "uncompressed", "max.message.bytes": str(1024 * 1024)}
"""
Batches stand there as every reader can read them, whatever codec they came in: aiokafka alone knows
gzip and no other, and would stop at the next. Unpacked, none is longer than this.
"""
_SHORT = _STORED | {"max.message.bytes": str(256 * 1024)}
_BROKER_TIME = {"message.timestamp.type": "LogAppendTime"}
_FOR_EVER = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "unclean.leader.election.enable": "false",
}
_COMPACTED = {
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": str(COMPACTED_AFTER // timedelta(milliseconds=1)),
    "delete.retention.ms": str(7 * _DAY_MS),
}


def _days(days: int) -> dict[str, str]:
    """
    For so many days, and one more at most: a segment goes whole, once its last record is so old.

    Kafka's own segments hold a week.
    """
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(days * _DAY_MS),
        "segment.ms": str(_DAY_MS),
    }


EVENTS: Final = Topic(
    "twofold.events",
    "organisation id, or a username's digest",
    _FOR_EVER | _BROKER_TIME | _SHORT,
    history=True,
    genesis=True,
)
STRANGERS: Final = Topic(
    "twofold.strangers",
    "the username's digest",
    _days(7) | _BROKER_TIME | _SHORT | {"retention.bytes": str(1024**3)},
)
"""
A GiB of each partition at most, some 700,000 tries: they cost strangers time and are nobody's
history, and a full disk would stop everybody's.
"""
VAULT: Final = Topic("twofold.vault", "entry id", _COMPACTED | _BROKER_TIME | _SHORT, history=True)
COMMANDS: Final = Topic("twofold.commands", "organisation id", _days(30) | _BROKER_TIME | _STORED)
OUTCOMES: Final = Topic("twofold.command-outcomes", "command id", _days(30) | _STORED)
DEAD_LETTERS: Final = Topic("twofold.dead-letters", "as it came", _days(90) | _STORED)
STATUS: Final = Topic("twofold.two-factor-status", "staff id", _COMPACTED | _STORED)
CHECKPOINTS: Final = Topic(
    "twofold.checkpoints", "log partition", _FOR_EVER | _STORED, history=True
)

ALL: Final = (
    EVENTS, STRANGERS, VAULT, COMMANDS, OUTCOMES, DEAD_LETTERS, STATUS, CHECKPOINTS,
)  # fmt: skip


def durability(brokers: int) -> tuple[int, int]:
    """Replication factor and min.insync.replicas on so many brokers: one may be lost, of three."""
    return (3, 2) if brokers >= 3 else (1, 1)


def complaints(topic: Topic, actual: Mapping[str, str]) -> list[str]:
    """
    What is wrong with a topic's settings, a sentence each; empty where nothing is.

    Args:
        topic: As it must be.
        actual: As the broker describes it.
    """
    return [
        f"Topic {topic.name} has {name}={actual.get(name)} where {name}={wanted} is needed;"
        f" set it with: twofold topics create"
        for name, wanted in topic.settings.items()
        if actual.get(name) != wanted
    ]
