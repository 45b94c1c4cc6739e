"""Whether commands are dealt with, seen from outside: progress kept in Kafka, and dead letters."""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, Message, TopicPartition

from events import topics
from events.log.bulk import bounds, bulk_messages
from events.log.clients import Connection, admin, bulk_consumer
from events.moments import to_milliseconds
from services.doctor.finding import Finding, well, wrong
from services.staff.ports import INTERNAL_ERROR

GROUP: Final = "twofold.staff"
SETTLE: Final = timedelta(seconds=5)
"""How long the next command of a partition may take."""

LOOK_BACK: Final = timedelta(days=1)
"""How old a command may be, set aside, of which it is still told."""

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""As Kafka has them: whoever can write letters must not write to the terminal that shows them."""

_LETTERS: Final = 10_000
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a group has come in a partition: its next offset, and the topic's end."""

    offset: int
    end: int


async def standing(
    kafka: Connection | str,
    *,
    group: str = GROUP,
    topic: str = topics.COMMANDS.name,
    settle: timedelta = SETTLE,
) -> list[Finding]:
    """Partitions of commands whose progress stands still with commands to come."""
    reached = await asyncio.to_thread(progress, kafka, group, topic)
    waiting, until = _behind(reached), time.monotonic() + settle.total_seconds()
    while waiting and time.monotonic() < until:
        await asyncio.sleep(0.2)
        now = _behind(await asyncio.to_thread(progress, kafka, group, topic))
        waiting = {
            partition: one
            for partition, one in now.items()
            if partition in waiting and one.offset == waiting[partition].offset
        }
    if not waiting:
        at = ", ".join(str(one.offset) for _, one in sorted(reached.items()))
        return [well(group, f"next offsets of {topic}: {at}")]
    return [
        wrong(
            group,
            f"{topic}-{partition} stands still at offset {one.offset}, {one.end - one.offset} to"
            " come: is twofold staff running? /health/ready on its metrics port says why.",
        )
        for partition, one in sorted(waiting.items())
    ]


async def set_aside(
    kafka: Connection | str,
    *,
    topic: str = topics.DEAD_LETTERS.name,
    since: timedelta = LOOK_BACK,
) -> list[Finding]:
    """Commands that met a fault of ours, lately."""
    letters = await asyncio.to_thread(lambda: [*_letters(kafka, topic, since)])
    places = [place for one in map(_members, letters) if (place := _place(one))]
    if not places:
        return [well("set aside", "no command of the last day met a fault")]
    named = ", ".join(places[-_NAMED:]) + (" and others" if len(places) > _NAMED else "")
    return [
        wrong(
            "set aside",
            f"{len(places)} command(s) of the last day met a fault of ours, and are undecided:"
            f" {named}. Look for command.fault in the log of twofold staff.",
        )
    ]


def progress(kafka: Connection | str, group: str, topic: str) -> Mapping[int, Reached]:
    """How far *group* has come in *topic*, by partition. Blocking."""
    asking = admin(kafka)
    count = len(asking.list_topics(topic, timeout=5).topics[topic].partitions)
    wanted = [TopicPartition(topic, partition) for partition in range(count)]
    asked = asking.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])
    committed = {one.partition: one.offset for one in asked[group].result(10).topic_partitions}
    found = {}
    for partition in range(count):
        low, high = bounds(kafka, topic, partition)
        # What is older than the topic keeps can't be dealt with any more.
        found[partition] = Reached(max(committed.get(partition, 0), low), high)
    return found


def _behind(reached: Mapping[int, Reached]) -> dict[int, Reached]:
    return {partition: one for partition, one in reached.items() if one.offset < one.end}


def _letters(kafka: Connection | str, topic: str, since: timedelta) -> Iterator[Message]:
    consumer = bulk_consumer(kafka)
    try:
        moment = to_milliseconds(datetime.now(UTC) - since)
        partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
        starts = consumer.offsets_for_times(
            [TopicPartition(topic, partition, moment) for partition in partitions], timeout=5
        )
    finally:
        consumer.close()
    for one in starts:
        if one.offset < 0:
            continue  # None of them is as young.
        _, end = bounds(kafka, topic, one.partition)
        start = max(one.offset, end - _LETTERS)
        for messages in bulk_messages(kafka, topic, one.partition, start, end):
            yield from messages


def _place(letter: Mapping[str, Any]) -> str | None:
    """Where the command stood; None where it met no fault, or the letter is none of ours."""
    topic, partition, offset = (letter.get(name) for name in ("topic", "partition", "offset"))
    ours = isinstance(topic, str) and isinstance(partition, int) and isinstance(offset, int)
    if letter.get("reason") != INTERNAL_ERROR or not ours or not _TOPIC.fullmatch(str(topic)):
        return None
    return f"{topic}-{partition} at {offset}"


def _members(letter: Message) -> Mapping[str, Any]:
    """Of a dead letter; none where it is none of ours."""
    try:
        members = json.loads(letter.value() or b"")
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
