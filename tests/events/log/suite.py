"""What every `EventLog` does: one suite, run against each of them."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from events.log.port import EventLog
from events.records import Record


async def read(log: EventLog, partition: int, start: int, count: int) -> list[Record]:
    """The next *count* records from *start*, waiting for them."""
    records: list[Record] = []
    async with asyncio.timeout(20), aclosing(log.read(partition, start)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            records += batch
            if len(records) >= count:
                break
    return records[:count]


def values(records: Sequence[Record]) -> list[bytes | None]:
    return [record.value for record in records]


class EventLogSuite:
    """A subclass gives the fixture `log`: an `EventLog` with two empty partitions."""

    async def test_an_append_gives_the_offset_of_its_first_record(self, log: EventLog) -> None:
        assert await log.append(0, [b"a"]) == 0
        assert await log.append(0, [b"b", b"c"]) == 1
        assert await log.append(0, [b"d"]) == 3

    async def test_the_end_is_the_offset_after_the_last_record(self, log: EventLog) -> None:
        assert await log.end(0) == 0
        await log.append(0, [b"a", b"b"])
        assert await log.end(0) == 2

    async def test_partitions_are_logs_of_their_own(self, log: EventLog) -> None:
        await log.append(0, [b"in 0"])
        assert await log.append(1, [b"in 1"]) == 0
        assert values(await read(log, 1, 0, 1)) == [b"in 1"]

    async def test_records_come_back_as_exact_bytes_in_order(self, log: EventLog) -> None:
        written = [b"", b"\x00\xff", "ü".encode(), b'{"a":1}', b"x" * 60_000]
        for value in written:
            await log.append(0, [value])
        records = await read(log, 0, 0, len(written))
        assert values(records) == written
        assert [record.offset for record in records] == list(range(len(written)))

    async def test_reading_begins_where_it_is_told(self, log: EventLog) -> None:
        await log.append(0, [b"a", b"b", b"c"])
        assert values(await read(log, 0, 1, 2)) == [b"b", b"c"]

    async def test_reading_waits_at_the_end_for_more(self, log: EventLog) -> None:
        await log.append(0, [b"a"])
        reading = asyncio.create_task(read(log, 0, 0, 2))
        assert values(await read(log, 0, 0, 1)) == [b"a"]
        assert not reading.done()
        await log.append(0, [b"b"])
        assert values(await reading) == [b"a", b"b"]

    async def test_times_are_the_brokers_and_never_go_back(self, log: EventLog) -> None:
        for value in (b"a", b"b", b"c"):
            await log.append(0, [value])
        records = await read(log, 0, 0, 3)
        times = [record.append_time_ms for record in records]
        assert times == sorted(times)
        assert all(record.broker_time for record in records)

    async def test_appends_at_once_each_get_their_own_offset(self, log: EventLog) -> None:
        written = [b"%d" % number for number in range(200)]
        offsets = await asyncio.gather(*[log.append(0, [value]) for value in written])
        assert sorted(offsets) == list(range(200))
        records = await read(log, 0, 0, 200)
        assert {offset: records[offset].value for offset in offsets} == dict(
            zip(offsets, written, strict=True)
        )

    async def test_a_decisions_events_stand_side_by_side(self, log: EventLog) -> None:
        batches = [[b"%d.%d" % (number, part) for part in range(3)] for number in range(50)]
        offsets = await asyncio.gather(*[log.append(0, batch) for batch in batches])
        stored = values(await read(log, 0, 0, 150))
        for offset, batch in zip(offsets, batches, strict=True):
            assert stored[offset : offset + 3] == batch

    async def test_two_readers_see_the_same(self, log: EventLog) -> None:
        readers = [asyncio.create_task(read(log, 0, 0, 40)) for _ in range(2)]
        await asyncio.gather(*[log.append(0, [b"%d" % number]) for number in range(40)])
        first, second = await asyncio.gather(*readers)
        assert first == second
