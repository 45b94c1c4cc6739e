"""Topics are made and checked, against a real broker."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # It has them.
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from events import keys, topics
from events.acceptance import PartitionState, judge
from events.log import broker, clients
from events.log.broker import UnfitTopicError
from events.log.bulk import bounds, bulk_read
from events.log.kafka import KafkaLog
from events.log.port import LogUnavailableError
from events.records import Fate
from events.topics import Topic

RING = keys.generate()
KEYS, KEY_ID = RING.mac.keys, RING.mac.current


@pytest.fixture
def history(unique: Callable[..., str]) -> Topic:
    return replace(topics.EVENTS, name=unique("events"))


async def create(kafka: str, *wanted: Topic, partitions: int = 2) -> list[str]:
    return await broker.create(
        kafka, keys=KEYS, key_id=KEY_ID, partitions=partitions, wanted=wanted
    )


async def check(kafka: str, *wanted: Topic) -> list[str]:
    return await broker.check(kafka, keys=KEYS, wanted=wanted)


class TestCreate:
    async def test_every_topic_is_made_with_its_settings(
        self, kafka: str, unique: Callable[..., str]
    ) -> None:
        wanted = [replace(topic, name=f"{unique()}.{topic.name}") for topic in topics.ALL]
        await create(kafka, *wanted)
        assert await check(kafka, *wanted) == []

    async def test_each_partition_of_the_history_begins_with_its_genesis(
        self, kafka: str, history: Topic
    ) -> None:
        await create(kafka, history, partitions=3)
        genesis = await broker.generation_of(kafka, history.name, KEYS)
        assert genesis.partitions == 3
        assert [bounds(kafka, history.name, partition) for partition in range(3)] == [(0, 1)] * 3

    async def test_making_them_again_does_nothing(self, kafka: str, history: Topic) -> None:
        assert len(await create(kafka, history)) == 3
        before = await broker.generation_of(kafka, history.name, KEYS)
        assert await create(kafka, history, partitions=5) == []
        assert await broker.generation_of(kafka, history.name, KEYS) == before

    async def test_topics_of_old_are_given_the_settings_that_they_need(
        self, kafka: str, history: Topic
    ) -> None:
        before = {n: s for n, s in history.settings.items() if n != "compression.type"}
        await create(kafka, replace(history, settings=before | {"max.message.bytes": "1000000"}))
        assert "has compression.type=producer where" in (await check(kafka, history))[0]
        assert await create(kafka, history) == [
            f"Set compression.type=uncompressed for topic {history.name}.",
            f"Set max.message.bytes=262144 for topic {history.name}.",
        ]
        async with asyncio.timeout(10):
            while await check(kafka, history):
                await asyncio.sleep(0.05)
        assert await create(kafka, history) == []

    async def test_several_at_once_agree_on_one_generation(
        self, kafka: str, history: Topic
    ) -> None:
        await asyncio.gather(*[create(kafka, history) for _ in range(4)])
        await broker.generation_of(kafka, history.name, KEYS)
        for partition in range(2):
            _, end = bounds(kafka, history.name, partition)
            state = PartitionState(partition)
            [records] = bulk_read(kafka, history.name, partition, 0, end)
            fates = [judge(state, record, KEYS).fate for record in records]
            assert fates == [Fate.COUNTED] + [Fate.SUPERSEDED] * (end - 1)

    async def test_what_was_cut_off_half_way_is_finished(self, kafka: str, history: Topic) -> None:
        admin = clients.admin(kafka)
        settings = {**history.settings, "min.insync.replicas": "1"}
        made = admin.create_topics([NewTopic(history.name, 3, 1, config=settings)])
        await asyncio.wrap_future(made[history.name])
        assert "has no genesis" in "".join(await check(kafka, history))
        assert len(await create(kafka, history)) == 3
        assert await check(kafka, history) == []

    async def test_a_topic_that_others_wrote_first_is_refused(
        self, kafka: str, history: Topic
    ) -> None:
        await create(kafka, replace(history, genesis=False))
        async with KafkaLog(kafka, history.name, 2) as log:
            await log.append(0, [b"first"])
        with pytest.raises(UnfitTopicError, match="is no genesis"):
            await create(kafka, history)

    async def test_another_installations_topic_is_refused(self, kafka: str, history: Topic) -> None:
        await create(kafka, history)
        with pytest.raises(UnfitTopicError, match="no genesis of ours"):
            await broker.generation_of(kafka, history.name, keys.generate("other").mac.keys)

    async def test_a_broker_that_is_away_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(broker, "_TIMEOUT_SECONDS", 1)
        with pytest.raises(LogUnavailableError):
            await create("127.0.0.1:1", topics.EVENTS)


class TestCheck:
    async def test_a_missing_topic_is_said(self, kafka: str, history: Topic) -> None:
        [sentence] = await check(kafka, history)
        assert sentence == (
            f"There is no topic {history.name}; make it with: twofold topics create"
        )

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("cleanup.policy", "compact"),
            ("retention.ms", "3600000"),
            ("retention.bytes", "1000000"),
            ("message.timestamp.type", "CreateTime"),
            ("unclean.leader.election.enable", "true"),
            ("compression.type", "producer"),
        ],
    )
    async def test_settings_that_would_lose_history_are_said(
        self, kafka: str, history: Topic, setting: str, value: str
    ) -> None:
        await create(kafka, history)
        admin = clients.admin(kafka)
        entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(
            ConfigResource.Type.TOPIC, history.name, incremental_configs=[entry]
        )
        await asyncio.wrap_future(admin.incremental_alter_configs([resource])[resource])
        async with asyncio.timeout(10):
            while not (found := await check(kafka, history)):
                await asyncio.sleep(0.05)
        assert f"has {setting}={value} where" in found[0]

    async def test_a_topic_that_grew_is_said(self, kafka: str, history: Topic) -> None:
        await create(kafka, history)
        admin = clients.admin(kafka)
        grown = admin.create_partitions([NewPartitions(history.name, 4)])
        await asyncio.wrap_future(grown[history.name])
        async with asyncio.timeout(10):
            while not (found := await check(kafka, history)):
                await asyncio.sleep(0.05)
        assert "has 4 partitions where its genesis froze 2" in found[0]
