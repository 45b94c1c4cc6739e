"""
Consuming `twofold.commands`: one process at a time deals with a partition, record by record.

An offset is committed only once the outcomes before it are published. A process that dies in
between leaves records that are dealt with again, to the same outcome: the history knows it. While
Kafka, PostgreSQL or the vault is away, the same record is tried again, however long that takes.

A record that a fault of ours stops is tried a few times, and set aside among the dead letters, so
that no command of one organisation can stop the others'. Nothing of it counted, or all of it did:
effects and outcome are one batch. So it may be sent again as it is, once the fault is mended.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final, Protocol

import structlog
from prometheus_client import Counter

from events.log.port import LogError
from events.log.writer import NotDoneError, OutcomeUnknownError
from events.vault.port import MissingEntryError, VaultUnavailableError
from services.logs import way_to
from services.projections.port import ProjectionUnavailableError
from services.staff.ports import (
    INTERNAL_ERROR,
    Answered,
    DeadLetter,
    LeaseLostError,
    Outlet,
    RawCommand,
    Source,
)
from services.staff.stops import Stops

AWAY: Final = (
    LogError,
    VaultUnavailableError,
    ProjectionUnavailableError,
    NotDoneError,
    OutcomeUnknownError,
)
"""Not now: the same again, later."""

TRIES: Final = 5
"""Of a record that meets a fault; with the pauses between them, a second and a half."""

TRIES_WITHOUT_AN_ENTRY: Final = 11
"""Where an entry of the vault isn't there, which may be folded anew just then: half a minute."""

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0

log = structlog.get_logger()

HANDLED = Counter("twofold_commands_total", "Dealt with", ["outcome", "reason"])


class Handler(Protocol):
    """Deals with one record; `services.staff.handlers.CommandHandler` is one."""

    async def handle(self, raw: RawCommand) -> Answered | DeadLetter:
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
        stops: Stops,
    ) -> None:
        """
        Args:
            partitions: How many the commands' topic has.
            source: One partition's records.
            outlet: Where outcomes and dead letters go.
            handler: What becomes of a record.
            lease: So that one process deals with a partition at a time.
            folded: Returns once the history is folded to its present end, as far as it can be.
            stops: Where it is told which partitions stand still.
        """
        self._partitions, self._source, self._outlet = partitions, source, outlet
        self._handler, self._lease, self._folded = handler, lease, folded
        self._stops = stops
        self._gone: set[str] = set()

    async def run(self) -> None:
        """Deal with what is there and what comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for partition in range(self._partitions):
                group.create_task(self._keep_on(partition))

    async def _keep_on(self, partition: int) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            # Whoever holds the lease tells how it stands.
            self._stops.goes_on(partition)
            try:
                async with self._lease(partition):
                    self._stops.waits(partition, "it is being taken up")
                    log.info("commands.taken", partition=partition)
                    await self._folded()
                    pause = _FIRST_PAUSE_S
                    await self.consume(partition, self._source(partition))
            except LeaseLostError:
                log.warning("commands.lost", partition=partition)
            except AWAY as error:
                self._stops.waits(partition, type(error).__name__)
                log.warning("commands.away", partition=partition, error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 -- Whatever it is; it is told of.
                # A fault of ours, and no record's: the other partitions go on.
                self._stops.waits(partition, type(error).__name__)
                _tell("commands.halted", error, partition=partition)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def consume(self, partition: int, source: Source) -> None:
        """
        Deal with *source*'s records, in order.

        Raises:
            LogUnavailableError: Kafka is away; begin again.
        """
        async with aclosing(source.read()) as batches:
            async for records in batches:
                self._stops.goes_on(partition)
                for raw in records:
                    await self._deal_with(raw)
                if records:
                    await source.commit(records[-1].offset + 1)

    async def _deal_with(self, raw: RawCommand) -> None:
        """
        Until what became of it is published.

        Raises:
            Exception: Not even a dead letter can be published, for a fault of ours.
        """
        place = {"partition": raw.partition, "offset": raw.offset}
        pause, faults, letter = _FIRST_PAUSE_S, 0, None
        while True:
            try:
                await self._publish(letter or await self._handler.handle(raw))
            except Exception as error:
                self._stops.waits(raw.partition, type(error).__name__, raw.offset)
                if isinstance(error, AWAY) and not isinstance(error, MissingEntryError):
                    log.warning("command.waits", **place, error=type(error).__name__)
                elif letter is not None:
                    raise
                else:
                    faults += 1
                    _tell("command.fault", error, **place)
                    if faults >= self._tries(error):
                        letter = _set_aside(raw, error)
                        if isinstance(error, MissingEntryError):
                            self._gone.add(str(error))
                        continue
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                self._stops.goes_on(raw.partition)
                return

    def _tries(self, error: Exception) -> int:
        """How many *error* is worth; an entry of the vault is waited for once."""
        if not isinstance(error, MissingEntryError) or str(error) in self._gone:
            return TRIES
        return TRIES_WITHOUT_AN_ENTRY

    async def _publish(self, handled: Answered | DeadLetter) -> None:
        if isinstance(handled, DeadLetter):
            await self._outlet.dead_letter(handled)
            HANDLED.labels("dead_letter", handled.reason).inc()
            level = "error" if handled.reason == INTERNAL_ERROR else "warning"
            getattr(log, level)(
                "command.dead_letter",
                partition=handled.raw.partition,
                offset=handled.raw.offset,
                reason=handled.reason,
            )
        else:
            await self._outlet.outcome(handled)
            outcome = handled.outcome
            HANDLED.labels(outcome.outcome, outcome.reason or "").inc()
            log.info(
                "command.handled",
                publisher=handled.publisher,
                command_id=outcome.command_id,
                outcome=outcome.outcome,
                reason=outcome.reason,
            )


def _set_aside(raw: RawCommand, error: Exception) -> DeadLetter:
    return DeadLetter(
        raw,
        INTERNAL_ERROR,
        f"A fault of ours kept this from being dealt with ({type(error).__name__}). Once that is"
        " mended it may be sent again as it is.",
    )


def _tell(what: str, error: Exception, **place: int) -> None:
    """Without the error's words: a command's could be personal."""
    log.error(what, **place, error=type(error).__name__, way=way_to(error))
