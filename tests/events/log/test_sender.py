"""What a broker's failures become: certain refusals, or "only the log can tell"; and back again."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from events.log import sender as sending
from events.log.kafka import KafkaLog
from events.log.port import AppendUnknownError, LogUnavailableError
from tests.events.log.mock_cluster import PRODUCE, MockCluster, mock_cluster

NOT_LEADER, TOO_LARGE, FORBIDDEN, TOO_FEW_REPLICAS, APPENDED_ON_TOO_FEW = 6, 10, 29, 19, 20
TIMED_OUT = 7


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with mock_cluster("log") as cluster:
        yield cluster


@pytest.fixture
async def log(cluster: MockCluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KafkaLog]:
    """A log whose requests may take half a second."""
    monkeypatch.setattr(sending, "REQUEST_TIMEOUT_MS", 500)
    monkeypatch.setattr(sending, "_PROBE_EVERY_SECONDS", 0.02)
    async with KafkaLog(cluster.address, "log", 1) as log:
        yield log


async def back(log: KafkaLog) -> None:
    """Wait until the probe has reached the broker again."""
    async with asyncio.timeout(10):
        while log.away:
            await asyncio.sleep(0.01)


async def test_a_passing_refusal_is_tried_again(cluster: MockCluster, log: KafkaLog) -> None:
    cluster.fail(PRODUCE, NOT_LEADER)
    assert await log.append(0, [b"a"]) == 0


@pytest.mark.parametrize("error", [TOO_LARGE, FORBIDDEN])
async def test_what_the_broker_took_nothing_of_is_certain(
    cluster: MockCluster, log: KafkaLog, error: int
) -> None:
    cluster.fail(PRODUCE, error)
    with pytest.raises(LogUnavailableError, match="refused"):
        await log.append(0, [b"a"])
    assert not log.away
    assert await log.append(0, [b"b"]) == 0


@pytest.mark.parametrize("error", [TIMED_OUT, APPENDED_ON_TOO_FEW, TOO_FEW_REPLICAS])
async def test_what_may_stand_in_the_log_is_unknown(
    cluster: MockCluster, log: KafkaLog, error: int
) -> None:
    cluster.fail(PRODUCE, *[error] * 20)
    with pytest.raises(AppendUnknownError):
        await log.append(0, [b"a"])


async def test_a_broker_that_does_not_answer_is_unknown_in_time(
    cluster: MockCluster, log: KafkaLog
) -> None:
    cluster.answer_after(5_000)
    began = time.monotonic()
    with pytest.raises(AppendUnknownError):
        await log.append(0, [b"a"])
    assert time.monotonic() - began < 2
    cluster.answer_after(0)


async def test_while_the_broker_is_away_nobody_waits(cluster: MockCluster, log: KafkaLog) -> None:
    cluster.go_down()
    with pytest.raises((AppendUnknownError, LogUnavailableError)):
        await log.append(0, [b"a"])
    assert log.away
    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(LogUnavailableError):
            await log.append(0, [b"b"])
    assert time.monotonic() - began < 0.5
    cluster.come_up()
    await back(log)
    await log.append(0, [b"c"])


async def test_whoever_queued_behind_a_failure_knows_that_nothing_was_sent(
    cluster: MockCluster, log: KafkaLog
) -> None:
    cluster.answer_after(5_000)
    first = asyncio.create_task(log.append(0, [b"a"]))
    await asyncio.sleep(0)
    behind = [asyncio.create_task(log.append(0, [b"b"])) for _ in range(5)]
    with pytest.raises(AppendUnknownError):
        await first
    for task in behind:
        with pytest.raises(LogUnavailableError):
            await task
    cluster.answer_after(0)


async def test_a_failed_batch_stops_no_later_one(cluster: MockCluster, log: KafkaLog) -> None:
    """aiokafka#1017: an idempotent producer would refuse everything from here on."""
    for _ in range(3):
        cluster.fail(PRODUCE, *[TIMED_OUT] * 20)
        with pytest.raises(AppendUnknownError):
            await log.append(0, [b"a"])
        cluster.fail(PRODUCE)
        await back(log)
    async with asyncio.timeout(20):
        while True:
            try:
                await log.append(0, [b"b"])
            except (AppendUnknownError, LogUnavailableError):
                await asyncio.sleep(0.01)
            else:
                return


async def test_closing_does_not_hang_while_the_broker_is_away(cluster: MockCluster) -> None:
    """aiokafka#1101."""
    log = KafkaLog(cluster.address, "log", 1)
    await log.start()
    cluster.go_down()
    waiting = asyncio.create_task(log.append(0, [b"a"]))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await log.close()
    with pytest.raises((AppendUnknownError, LogUnavailableError)):
        await waiting
