"""
Consuming `twofold.commands`: one process at a time deals with a partition, record by record.

An offset is committed only once the outcomes before it are published. A process that dies in
between leaves records that are dealt with again, to the same outcome: the history knows it. While
Kafka, PostgreSQL or the vault is away, the same record is tried again; none is ever skipped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final, Protocol

import structlog
from prometheus_client import Counter

from events.commands import CommandOutcome
from events.log.port import LogError
from events.log.writer import NotDoneError, OutcomeUnknownError
from events.vault.port import VaultUnavailableError
from services.projections.port import ProjectionUnavailableError
from services.staff.ports import DeadLetter, LeaseLostError, Outlet, RawCommand, Source

AWAY: Final = (
    LogError,
    VaultUnavailableError,
    ProjectionUnavailableError,
    NotDoneError,
    OutcomeUnknownError,
)
"""Not now: the same again, later."""

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0

log = structlog.get_logger()

HANDLED = Counter("twofold_commands_total", "Dealt with", ["outcome", "reason"])
HALTS = Counter(
    "twofold_commands_halts_total", "A fault of ours stopped a partition", ["partition"]
)


class Handler(Protocol):
    """Deals with one record; `services.staff.handlers.CommandHandler` is one."""

    async def handle(self, raw: RawCommand) -> CommandOutcome | DeadLetter:
        """What becomes of it; raises one of `AWAY` where that can't be told now."""


Lease = Callable[[int], AbstractAsyncContextManager[None]]
"""Holds a partition while it is entered; waits until it is free."""


class Consumer:
    """Deals with commands, every partition by itself."""

    def __init__(
        self,
        *,
        partitions: int,
        source: Callable[[int], Source],
        outlet: Outlet,
        handler: Handler,
        lease: Lease,
        folded: Callable[[], Awaitable[None]],
    ) -> None:
        """
        Args:
            partitions: How many the commands' topic has.
            source: One partition's records.
            outlet: Where outcomes and dead letters go.
            handler: What becomes of a record.
            lease: So that one process deals with a partition at a time.
            folded: Returns once the history is folded to its present end.
        """
        self._partitions, self._source, self._outlet = partitions, source, outlet
        self._handler, self._lease, self._folded = handler, lease, folded

    async def run(self) -> None:
        """Deal with what is there and what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for partition in range(self._partitions):
                group.create_task(self._keep_on(partition))

    async def _keep_on(self, partition: int) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                async with self._lease(partition):
                    log.info("commands.taken", partition=partition)
                    await self._folded()
                    pause = _FIRST_PAUSE_S
                    await self.consume(self._source(partition))
            except (*AWAY, LeaseLostError) as error:
                log.warning("commands.away", partition=partition, error=type(error).__name__)
            except Exception:
                # A fault of ours: this partition waits for its mending, the others go on.
                HALTS.labels(str(partition)).inc()
                log.exception("commands.halted", partition=partition)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def consume(self, source: Source) -> None:
        """
        Deal with *source*'s records, in order.

        Raises:
            LogUnavailableError: Kafka is away; begin again.
        """
        async with aclosing(source.read()) as batches:
            async for records in batches:
                for raw in records:
                    await self._deal_with(raw)
                if records:
                    await source.commit(records[-1].offset + 1)

    async def _deal_with(self, raw: RawCommand) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await self._publish(await self._handler.handle(raw))
            except AWAY as error:
                log.warning(
                    "command.waits",
                    partition=raw.partition,
                    offset=raw.offset,
                    error=type(error).__name__,
                )
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                return

    async def _publish(self, handled: CommandOutcome | DeadLetter) -> None:
        if isinstance(handled, DeadLetter):
            await self._outlet.dead_letter(handled)
            HANDLED.labels("dead_letter", handled.reason).inc()
            log.warning(
                "command.dead_letter",
                partition=handled.raw.partition,
                offset=handled.raw.offset,
                reason=handled.reason,
            )
        else:
            await self._outlet.outcome(handled)
            HANDLED.labels(handled.outcome, handled.reason or "").inc()
            log.info(
                "command.handled",
                command_id=handled.command_id,
                outcome=handled.outcome,
                reason=handled.reason,
            )
