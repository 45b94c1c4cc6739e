"""
Making the topics, and checking them: whenever a process starts, and when `twofold doctor` is asked.

While processes run, the partition count alone is looked at again, before each batch that is written
(`events.log.kafka`). What other settings would bring about is seen where records are read: a hole,
another log than the one that was folded, or a time that isn't the broker's halts the partition.

Making them is safe to repeat, to run twice at once, and after it was cut off half-way: the first
record of partition 0 decides the generation, and a genesis that comes second never counts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from aiokafka import errors as kafka_errors
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # It has them, untold to mypy.
    AdminClient,
    NewTopic,
)

from events import marks, streams, topics
from events.acceptance import PartitionState, judge
from events.log import clients, topic_settings
from events.log.bulk import bounds, bulk_read
from events.log.clients import Connection
from events.log.port import LogUnavailableError
from events.log.proposal import Draft, Proposal, Signer
from events.records import HaltError
from events.topics import Topic

_TIMEOUT_SECONDS: Final = 15


class UnfitTopicError(Exception):
    """A topic is missing, or not as it must be; the sentences say what to do."""


async def create(
    kafka: Connection | str,
    *,
    keys: Mapping[str, bytes],
    key_id: str,
    partitions: int = topics.DEFAULT_PARTITIONS,
    wanted: Sequence[Topic] = topics.ALL,
) -> list[str]:
    """
    Make the topics that aren't there, set what is set otherwise, write what genesis is missing.

    Args:
        kafka: Where.
        keys: The writers' MAC keys, by id.
        key_id: Names the one to write with.
        partitions: How many each new topic gets.
        wanted: Which.

    Returns:
        A sentence for each thing that was done; none where everything was there.

    Raises:
        LogUnavailableError: The broker is away.
        UnfitTopicError: A genesis doesn't fit its topic.
    """
    admin = clients.admin(kafka)
    done = await asyncio.to_thread(_make_topics, admin, wanted, partitions)
    for topic in wanted:
        if topic.genesis:
            done += await _write_geneses(kafka, topic, keys, key_id)
    return done


async def check(
    kafka: Connection | str,
    *,
    keys: Mapping[str, bytes],
    wanted: Sequence[Topic] = topics.ALL,
) -> list[str]:
    """
    What is wrong with the topics, a sentence each; empty where nothing is.

    Raises:
        LogUnavailableError: The broker is away.
    """
    return await asyncio.to_thread(_check, kafka, keys, wanted)


async def generation_of(
    kafka: Connection | str, topic: str, keys: Mapping[str, bytes]
) -> marks.Genesis:
    """
    The genesis that *topic* begins with: its generation, and its frozen partition count.

    Raises:
        LogUnavailableError: The broker is away.
        UnfitTopicError: There is none, or partitions disagree.
    """
    return await asyncio.to_thread(_generation, kafka, topic, keys)


def _make_topics(admin: AdminClient, wanted: Sequence[Topic], partitions: int) -> list[str]:
    cluster = _metadata(admin)
    # Those that are there may be of old, when less was needed.
    done = topic_settings.mend(admin, [topic for topic in wanted if topic.name in cluster.topics])
    replicas, in_sync = topics.durability(len(cluster.brokers))
    missing = [topic for topic in wanted if topic.name not in cluster.topics]
    if not missing:
        return done
    made = admin.create_topics(
        [
            NewTopic(
                topic.name,
                num_partitions=partitions,
                replication_factor=replicas,
                config={**topic.settings, "min.insync.replicas": str(in_sync)},
            )
            for topic in missing
        ],
        operation_timeout=_TIMEOUT_SECONDS,
    )
    return done + [
        f"Made topic {name} with {partitions} partitions."
        for name, future in made.items()
        if _made(name, future)
    ]


def _made(name: str, future: "Future[None]") -> bool:
    """False where somebody else was making it at the same time."""
    try:
        future.result(timeout=2 * _TIMEOUT_SECONDS)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise LogUnavailableError(f"Topic {name} can't be made: {error.args[0]}") from error
    except TimeoutError:
        raise LogUnavailableError(
            f"Topic {name} can't be made: the broker hasn't answered for {2 * _TIMEOUT_SECONDS} s."
        ) from None
    return True


async def _write_geneses(
    kafka: Connection | str, topic: Topic, keys: Mapping[str, bytes], key_id: str
) -> list[str]:
    count = await _partition_count(kafka, topic.name)
    signer = Signer("twofold/topics", key_id, keys[key_id], count)
    done: list[str] = []
    # Whoever comes first in partition 0 decides the generation; everybody then writes that one.
    fact = marks.Genesis(generation=str(uuid4()), partitions=count)
    for partition in range(count):
        _, end = await asyncio.to_thread(bounds, kafka, topic.name, partition)
        if end == 0:
            await _produce(kafka, topic.name, partition, _genesis(signer, partition, fact))
            done.append(f"Wrote the genesis of {topic.name}, partition {partition}.")
        if partition == 0:
            fact = await asyncio.to_thread(_read_genesis, kafka, topic.name, 0, keys)
    await asyncio.to_thread(_generation, kafka, topic.name, keys)
    return done


def _genesis(signer: Signer, partition: int, fact: marks.Genesis) -> bytes:
    now, event_id = datetime.now(UTC), str(uuid4())
    proposal = Proposal(
        drafts=[Draft(streams.log(partition), fact)],
        basis=(),
        heads={},
        clock=now,
        event_id=event_id,
        actor="system",
        correlation_id=event_id,
    )
    return signer.batch(proposal, now).values[0]


async def _produce(kafka: Connection | str, topic: str, partition: int, value: bytes) -> None:
    producer = clients.producer(kafka, request_timeout_ms=_TIMEOUT_SECONDS * 1000)
    try:
        await producer.start()
        await producer.send_and_wait(topic, value, partition=partition)
    except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailableError(f"{topic} can't be written: {type(error).__name__}.") from error
    finally:
        await producer.stop()


async def _partition_count(kafka: Connection | str, topic: str) -> int:
    """How many the topic has, once the broker that was just told of it knows."""
    admin = clients.admin(kafka)
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        while True:
            cluster = await asyncio.to_thread(_metadata, admin)
            found = cluster.topics.get(topic)
            if found is not None and all(one.leader >= 0 for one in found.partitions.values()):
                return len(found.partitions)
            await asyncio.sleep(0.1)


def _generation(kafka: Connection | str, topic: str, keys: Mapping[str, bytes]) -> marks.Genesis:
    cluster = _metadata(clients.admin(kafka))
    if topic not in cluster.topics:
        raise UnfitTopicError(f"There is no topic {topic}; make it with: twofold topics create")
    count = len(cluster.topics[topic].partitions)
    genesis = _read_genesis(kafka, topic, 0, keys)
    if genesis.partitions != count:
        raise UnfitTopicError(
            f"Topic {topic} has {count} partitions where its genesis froze {genesis.partitions};"
            " a topic of the history must never be given more."
        )
    for partition in range(1, count):
        if _read_genesis(kafka, topic, partition, keys) != genesis:
            raise UnfitTopicError(f"Partition {partition} of {topic} is of another generation.")
    return genesis


def _read_genesis(
    kafka: Connection | str, topic: str, partition: int, keys: Mapping[str, bytes]
) -> marks.Genesis:
    low, end = bounds(kafka, topic, partition)
    if low != 0:
        raise UnfitTopicError(f"Partition {partition} of {topic} has lost its first {low} records.")
    if end == 0:
        raise UnfitTopicError(
            f"Partition {partition} of {topic} has no genesis; write it with: twofold topics create"
        )
    first = next(bulk_read(kafka, topic, partition, 0, 1))[0]
    try:
        counted = judge(PartitionState(partition), first, keys).counted
    except HaltError as error:
        raise UnfitTopicError(f"Topic {topic}: {error}") from error
    if counted is None or not isinstance(counted.fact, marks.Genesis):
        raise UnfitTopicError(f"Partition {partition} of {topic} doesn't begin with its genesis.")
    return counted.fact


def _check(
    kafka: Connection | str, keys: Mapping[str, bytes], wanted: Sequence[Topic]
) -> list[str]:
    admin = clients.admin(kafka)
    cluster = _metadata(admin)
    replicas, in_sync = topics.durability(len(cluster.brokers))
    found = [topic for topic in wanted if topic.name in cluster.topics]
    complaints = [
        f"There is no topic {topic.name}; make it with: twofold topics create"
        for topic in wanted
        if topic.name not in cluster.topics
    ]
    for topic, actual in topic_settings.describe(admin, found):
        complaints += topics.complaints(topic, actual)
        if int(actual["min.insync.replicas"]) < in_sync:
            complaints.append(f"Topic {topic.name} needs min.insync.replicas={in_sync}.")
    for topic in found:
        least = min(len(one.replicas) for one in cluster.topics[topic.name].partitions.values())
        if topic.history and least < replicas:
            complaints.append(
                f"Topic {topic.name} has {least} replica(s) of some partition where {replicas} are"
                " needed; add them with Kafka's kafka-reassign-partitions tool before starting."
            )
        if topic.genesis:
            try:
                _generation(kafka, topic.name, keys)
            except UnfitTopicError as error:
                complaints.append(str(error))
    return complaints


def _metadata(admin: AdminClient) -> Any:
    try:
        return admin.list_topics(timeout=_TIMEOUT_SECONDS)
    except KafkaException as error:
        raise LogUnavailableError(f"Kafka is away: {error.args[0].name()}.") from error
