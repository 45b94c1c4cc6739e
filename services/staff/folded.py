"""Waiting until the history is folded, before commands are taken up."""

from datetime import timedelta
from typing import Final

import structlog

from events.log.port import EventLog, Fates, LogUnavailableError
from services.projections.port import Queries

WITHIN: Final = timedelta(seconds=30)
"""How long each partition is waited for."""

log = structlog.get_logger(__name__)


async def folded(history: EventLog, fates: Fates, queries: Queries) -> None:
    """
    Wait until the history is folded to its present end, but for partitions that are halted.

    No command counts twice for want of it: each names the head of its own stream, and whatever else
    of its partition it relies on. It is for what a command relies on elsewhere, the rights of who
    is of support: while a database is folded anew, they are as they were once. A halted partition
    doesn't come nearer to its end by waiting, and the commands of all the others would stand still.

    Args:
        history: The log.
        fates: Tells when it is folded.
        queries: Tells what is halted.

    Raises:
        LogUnavailableError: A partition isn't folded `WITHIN` that time, or Kafka is away.
        ProjectionUnavailableError: PostgreSQL is away.
    """
    halted = await queries.halted()
    for partition in range(history.partitions):
        if partition in halted:
            log.warning("commands.beside_a_halt", partition_of_events=partition)
            continue
        last = await history.end(partition) - 1
        if last >= 0 and not await fates.passed(partition, last, WITHIN):
            raise LogUnavailableError(f"Partition {partition} is not folded to its end.")
