"""The log on a real broker: the suite, and what only a real broker can do to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined] # It has it.

from events.acceptance import PartitionState, judge
from events.log import clients
from events.log.bulk import bounds, bulk_read
from events.log.kafka import KafkaLog
from events.log.port import LogUnavailableError
from events.log.sender import WrongPartitionsError
from events.records import ForeignTimeError, HoleError
from tests.events.log.spoilt import produce_spoilt
from tests.events.log.suite import EventLogSuite, read, values

BROKER_TIME = {"message.timestamp.type": "LogAppendTime"}


async def make_topic(kafka: str, name: str, settings: Mapping[str, str] = BROKER_TIME) -> str:
    """A topic of two partitions, once its leaders are known."""
    admin = clients.admin(kafka)
    made = admin.create_topics([NewTopic(name, 2, 1, config=dict(settings))])
    await asyncio.wrap_future(made[name])
    for partition in range(2):
        await asyncio.to_thread(bounds, kafka, name, partition)
    return name


@pytest.fixture
async def topic(kafka: str, unique: Callable[..., str]) -> str:
    return await make_topic(kafka, unique("log"))


@pytest.fixture
async def log(kafka: str, topic: str) -> AsyncIterator[KafkaLog]:
    async with KafkaLog(kafka, topic, 2) as log:
        yield log


class TestKafkaLog(EventLogSuite):
    async def test_another_server_reads_the_same(
        self, kafka: str, topic: str, log: KafkaLog
    ) -> None:
        await log.append(0, [b"a", b"b"])
        async with KafkaLog(kafka, topic, 2) as other:
            assert await read(other, 0, 0, 2) == await read(log, 0, 0, 2)

    async def test_two_servers_append_to_one_partition(
        self, kafka: str, topic: str, log: KafkaLog
    ) -> None:
        async with KafkaLog(kafka, topic, 2) as other:
            batches = [
                (server, [b"%d.%d" % (number, part) for part in range(2)])
                for number in range(50)
                for server in (log, other)
            ]
            offsets = await asyncio.gather(*[one.append(0, batch) for one, batch in batches])
        stored = values(await read(log, 0, 0, 200))
        for offset, (_, batch) in zip(offsets, batches, strict=True):
            assert stored[offset : offset + 2] == batch

    async def test_a_decision_that_fits_no_batch_is_refused(self, log: KafkaLog) -> None:
        with pytest.raises(ValueError, match="one batch"):
            await log.append(0, [b"x" * 65_000] * 5)
        with pytest.raises(ValueError, match="one batch"):
            await log.append(0, [])

    async def test_the_largest_records_fit(self, log: KafkaLog) -> None:
        assert await log.append(0, [b"x" * 65_536] * 3) == 0
        assert len(await read(log, 0, 0, 3)) == 3

    async def test_whoever_gives_up_before_it_is_sent_appends_nothing(self, log: KafkaLog) -> None:
        tasks = [asyncio.create_task(log.append(0, [b"%d" % number])) for number in range(3)]
        for task in tasks[1:]:
            task.cancel()
        assert await tasks[0] == 0
        await asyncio.wait(tasks)
        assert await log.append(0, [b"next"]) == 1

    async def test_another_partition_count_than_the_frozen_one_is_refused(
        self, kafka: str, topic: str
    ) -> None:
        log = KafkaLog(kafka, topic, 3)
        with pytest.raises(
            WrongPartitionsError, match="has 2 partitions where its genesis froze 3"
        ):
            await log.start()
        await log.close()

    async def test_a_topic_that_is_not_there_is_refused(
        self, kafka: str, unique: Callable[..., str]
    ) -> None:
        log = KafkaLog(kafka, unique("none"), 2)
        with pytest.raises(LogUnavailableError):
            await log.start()
        await log.close()

    async def test_appending_without_a_broker_is_refused_at_once(self) -> None:
        log = KafkaLog("127.0.0.1:1", "nowhere", 1)
        with pytest.raises(LogUnavailableError):
            await log.start()
        with pytest.raises(LogUnavailableError):
            await log.append(0, [b"a"])
        with pytest.raises(LogUnavailableError):
            await log.end(0)
        with pytest.raises(LogUnavailableError):
            await read(log, 0, 0, 1)
        await log.close()


class TestReadingWhatOthersWrote:
    """Anybody with write access may have produced it; a reader neither stops nor skips."""

    @pytest.mark.parametrize("where", ["first", "middle", "last"])
    async def test_a_header_that_is_no_utf8_stops_nobody(
        self, kafka: str, topic: str, log: KafkaLog, where: str
    ) -> None:
        """Alone, aiokafka stops at it for good, or skips its neighbours."""
        bad = {"first": 0, "middle": 2, "last": 4}[where]
        await log.append(0, [b"before"])
        await produce_spoilt(kafka, topic, [b"%d" % number for number in range(5)], bad)
        await log.append(0, [b"after"])
        records = await read(log, 0, 0, 7)
        assert values(records) == [b"before", b"0", b"1", b"2", b"3", b"4", b"after"]
        assert [record.offset for record in records] == list(range(7))

    async def test_such_a_header_at_the_end_of_the_log_stops_nobody(
        self, kafka: str, topic: str, log: KafkaLog
    ) -> None:
        reading = asyncio.create_task(read(log, 0, 0, 3))
        await log.append(0, [b"a"])
        await produce_spoilt(kafka, topic, [b"b"], 0)
        await log.append(0, [b"c"])
        assert values(await reading) == [b"a", b"b", b"c"]

    async def test_a_tombstone_is_a_record(self, kafka: str, topic: str, log: KafkaLog) -> None:
        _produce(kafka, {}, topic, None)
        assert values(await read(log, 0, 0, 1)) == [None]

    async def test_a_transactions_control_record_is_a_hole_that_halts(
        self, kafka: str, topic: str, log: KafkaLog
    ) -> None:
        producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic, "log_level": 0})
        await asyncio.to_thread(producer.init_transactions, 20)
        producer.begin_transaction()
        producer.produce(topic, b"in a transaction", partition=0)
        await asyncio.to_thread(producer.commit_transaction, 20)
        while await log.end(0) < 2:  # The marker is written behind the client's back.
            await asyncio.sleep(0)
        await log.append(0, [b"after"])
        first, second = await read(log, 0, 0, 2)
        assert first.offset == 0
        state = PartitionState(0, partitions=2, next_offset=1)
        with pytest.raises(HoleError, match="goes on at offset 2 where 1 is due"):
            judge(state, second, {})

    async def test_a_clients_time_halts(self, kafka: str, unique: Callable[..., str]) -> None:
        topic = await make_topic(kafka, unique("client-time"), {})
        async with KafkaLog(kafka, topic, 2) as log:
            await log.append(0, [b"a"])
            [record] = await read(log, 0, 0, 1)
        with pytest.raises(ForeignTimeError):
            judge(PartitionState(0, partitions=2), record, {})

    async def test_a_log_that_was_made_again_is_seen(self, log: KafkaLog) -> None:
        """A reader that stands beyond the end is given what is there, so that the rule halts."""
        await log.append(0, [b"a"])
        [record] = await read(log, 0, 5, 1)
        assert record.offset == 0
        with pytest.raises(HoleError):
            judge(PartitionState(0, partitions=2, next_offset=5), record, {})


class TestBulkRead:
    async def test_it_reads_what_the_log_reads(self, kafka: str, topic: str, log: KafkaLog) -> None:
        await asyncio.gather(*[log.append(0, [b"%d" % number]) for number in range(300)])
        followed = await read(log, 0, 10, 280)
        batches = await asyncio.to_thread(lambda: list(bulk_read(kafka, topic, 0, 10, 290)))
        assert [record for batch in batches for record in batch] == followed

    async def test_it_ends_with_the_log(self, kafka: str, topic: str, log: KafkaLog) -> None:
        await log.append(0, [b"a", b"b"])
        batches = await asyncio.to_thread(lambda: list(bulk_read(kafka, topic, 0, 1, 1_000)))
        assert [values(batch) for batch in batches] == [[b"b"]]

    async def test_nothing_is_due_where_the_end_is_reached(self, kafka: str, topic: str) -> None:
        assert list(bulk_read(kafka, topic, 0, 5, 5)) == []

    async def test_it_reads_what_aiokafka_cannot(
        self, kafka: str, topic: str, log: KafkaLog
    ) -> None:
        await produce_spoilt(kafka, topic, [b"a", b"b"], 0)
        batches = await asyncio.to_thread(lambda: list(bulk_read(kafka, topic, 0, 0, 2)))
        assert [values(batch) for batch in batches] == [[b"a", b"b"]]

    async def test_a_topic_that_is_not_there_is_said(
        self, kafka: str, unique: Callable[..., str]
    ) -> None:
        with pytest.raises(LogUnavailableError):
            await asyncio.to_thread(bounds, kafka, unique("none"), 0, timedelta(seconds=1))


def _produce(kafka: str, settings: Mapping[str, Any], topic: str, value: bytes | None) -> None:
    producer = Producer({"bootstrap.servers": kafka, "log_level": 0, **settings})
    producer.produce(topic, value, key=b"k", partition=0)
    assert producer.flush(20) == 0
