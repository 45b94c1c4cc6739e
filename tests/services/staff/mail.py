"""What an independent consumer reads of what the staff service sends."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from events.log import clients
from tests.services.projections.worlds import PARTITIONS


@dataclass
class Mail:
    """What an independent consumer has read of a topic."""

    topic: str
    reader: AIOKafkaConsumer
    records: list[tuple[bytes | None, dict[str, Any]]] = field(default_factory=list)

    async def wait_for(
        self, wanted: Callable[[bytes | None, dict[str, Any]], bool], count: int = 1
    ) -> list[dict[str, Any]]:
        """The first *count* records that are wanted, once they have come."""
        async with asyncio.timeout(30):
            while True:
                found = [value for key, value in self.records if wanted(key, value)]
                if len(found) >= count:
                    return found
                batches = await self.reader.getmany(timeout_ms=200)
                for records in batches.values():
                    self.records += [(one.key, json.loads(one.value or b"")) for one in records]


async def open_mail(kafka: str, topic: str) -> Mail:
    reader = clients.consumer(kafka)
    await reader.start()
    reader.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    await reader.seek_to_beginning()
    return Mail(topic, reader)
