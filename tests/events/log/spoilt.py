"""Records that no client of ours would write, and that aiokafka can't read."""

from collections.abc import Sequence

from aiokafka.record.util import calc_crc32c

from events.log import clients


async def produce_spoilt(
    kafka: str, topic: str, written: Sequence[bytes], bad: int, key: bytes | None = None
) -> None:
    """One batch of *written*, in which record *bad* has a header whose name is no UTF-8."""
    producer = clients.producer(kafka)
    await producer.start()
    try:
        batch = producer.create_batch()
        for number, value in enumerate(written):
            headers = [("name-to-spoil", b"x")] if number == bad else []
            assert batch.append(timestamp=None, key=key, value=value, headers=headers)
        spoilt = bytearray(batch._build().replace(b"name-to-spoil", b"\xff" * 13))
        # Kafka's batch header (format 2): the checksum stands at 17, over everything from 21 on.
        spoilt[17:21] = calc_crc32c(bytes(spoilt[21:])).to_bytes(4)
        batch._buffer = bytes(spoilt)
        await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()
