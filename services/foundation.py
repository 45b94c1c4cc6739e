"""What every service stands on: keys, database, log and vault, opened once and closed in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

import asyncpg
import structlog

from events import keys, topics
from events.keyfile import KeyFile
from events.keys import KeyRing
from events.log import broker, reach
from events.log.broker import UnfitTopicError
from events.log.clients import Connection, UnsafeConnectionError
from events.log.kafka import KafkaLog
from events.log.port import LogUnavailableError
from events.log.reach import RefusedError
from events.log.signing import RotatingSigner
from events.log.writer import Writer
from events.vault.kafka import KafkaVault
from events.vault.topic import VaultTopic
from services.projections.database import open_pool
from services.projections.fates import PgFates
from services.projections.follows import PgEntries, PgFollows
from services.projections.lease import Leases
from services.projections.loads import PgLoads
from services.projections.port import ProjectionUnavailableError
from services.projections.queries import PgQueries
from services.projections.topology import Topology
from services.settings import Settings

PATIENCE_SECONDS: Final = 60.0
"""How long start-up waits for Kafka and PostgreSQL before it gives up."""

KEYS_EVERY: Final = 1.0
"""Seconds between two looks at the key ring's file."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class CannotStartError(Exception):
    """The service can't start; the sentence says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Foundation:
    """
    What a service is given.

    Attributes:
        settings: As checked.
        ring: The keys; those that rotate follow their file.
        connection: How Kafka is reached.
        pool: On the projections' schema.
        loads: For decisions.
        queries: For people and APIs.
        follows: For what happens once events count.
        log: The history.
        strangers_log: The strangers' topic.
        writer: Writes to the history.
        strangers: Writes to the strangers' topic.
        vault: Sealed entries.
        vault_topic: The vault's topic itself.
        fates: Of the history; tells when positions are passed.
        generation: The history's.
        now: The clock that decisions see; deadlines never use it.
    """

    settings: Settings
    ring: KeyRing = field(repr=False)
    connection: Connection
    pool: asyncpg.Pool
    loads: PgLoads
    queries: PgQueries
    follows: PgFollows
    log: KafkaLog
    strangers_log: KafkaLog
    writer: Writer
    strangers: Writer
    vault: KafkaVault
    vault_topic: VaultTopic
    fates: PgFates
    generation: str
    now: Callable[[], datetime]

    def leases(self, names: list[str]) -> Leases:
        """Notify's leases: one process at a time does each of what *names* names."""
        return Leases(self.pool, names, table="notify_lease")


@asynccontextmanager
async def foundation(settings: Settings, source: str) -> AsyncIterator[Foundation]:
    """
    Open everything that a service stands on, and close it in order.

    Waits, a minute at most, for Kafka and PostgreSQL to be there.

    Args:
        settings: Checked already.
        source: The service's name on what it writes, such as ``twofold/auth``.

    Raises:
        CannotStartError: Something is missing or unsafe; a sentence for whoever operates it.
    """
    file = _key_file(settings)
    ring = file.ring
    connection = connection_of(settings)
    async with AsyncExitStack() as stack:
        following = asyncio.create_task(_follow(file))
        stack.push_async_callback(_ended, following)
        pool = await _wait_for(
            "PostgreSQL", lambda: open_pool(settings.database.get_secret_value())
        )
        stack.push_async_callback(_close_pool, pool)
        await _wait_for("Kafka", lambda: _check_topics(connection, ring))
        genesis = await broker.generation_of(connection, topics.EVENTS.name, ring.mac.keys)
        count = genesis.partitions
        events_log = await stack.enter_async_context(
            KafkaLog(connection, topics.EVENTS.name, count)
        )
        strangers_log = await stack.enter_async_context(
            KafkaLog(connection, topics.STRANGERS.name, count)
        )
        vault_topic = await stack.enter_async_context(
            VaultTopic(connection, topics.VAULT.name, count)
        )
        fates, strangers_fates, vault_fates = [
            await stack.enter_async_context(
                PgFates(settings.database.get_secret_value(), pool, topic.name)
            )
            for topic in (topics.EVENTS, topics.STRANGERS, topics.VAULT)
        ]
        topology, follows = Topology(pool), PgFollows(pool)
        signer = RotatingSigner(source, ring.mac, count)
        yield Foundation(
            settings=settings,
            ring=ring,
            connection=connection,
            pool=pool,
            loads=PgLoads(pool, topology),
            queries=PgQueries(pool, fates, topology),
            follows=follows,
            log=events_log,
            strangers_log=strangers_log,
            writer=Writer(events_log, fates, signer),
            strangers=Writer(strangers_log, strangers_fates, signer),
            vault=KafkaVault(vault_topic, PgEntries(follows, vault_fates)),
            vault_topic=vault_topic,
            fates=fates,
            generation=genesis.generation,
            now=lambda: datetime.now(UTC) + settings.clock_ahead,
        )


def load_ring(settings: Settings) -> KeyRing:
    """
    The key ring.

    Raises:
        CannotStartError: It is missing, readable by others, or no key ring.
    """
    try:
        ring = keys.load(settings.keys)
        if settings.mode == "production":
            ring.refuse_unsafe()
    except keys.KeyRingError as error:
        raise CannotStartError(str(error)) from error
    return ring


def _key_file(settings: Settings) -> KeyFile:
    load_ring(settings)
    try:
        return KeyFile(settings.keys)
    except keys.KeyRingError as error:
        raise CannotStartError(str(error)) from error


async def _follow(file: KeyFile) -> None:
    """Look again and again whether the key ring has changed, and say so."""
    told = file.changes
    while True:
        await asyncio.sleep(KEYS_EVERY)
        file.refresh()
        if file.changes != told:  # Perhaps somebody met a new key meanwhile, and looked first.
            told = file.changes
            ring = file.ring
            current = {"encryption": ring.encryption.current, "mac": ring.mac.current}
            if file.complaint is None:
                log.info("keys.changed", **current)
            else:
                log.error("keys.not_followed", reason=file.complaint, **current)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def connection_of(settings: Settings, *, database: bool = True) -> Connection:
    """
    How Kafka is reached, as the settings say.

    Args:
        settings: Checked.
        database: Whether PostgreSQL is used as well, and has to be reached safely.

    Raises:
        CannotStartError: In production, it would be open to others.
    """
    password = settings.kafka_password
    connection = Connection(
        settings.kafka,
        security=settings.kafka_security,
        username=settings.kafka_username,
        password=password.get_secret_value() if password else None,
        ca_file=settings.kafka_ca,
        certificate_file=settings.kafka_certificate,
        key_file=settings.kafka_key,
    )
    if settings.mode == "production":
        try:
            connection.refuse_unsafe()
        except UnsafeConnectionError as error:
            raise CannotStartError(str(error)) from error
        if database and not _is_encrypted(settings.database.get_secret_value()):
            raise CannotStartError(
                "PostgreSQL would be reached in plaintext; production needs"
                " sslmode=verify-full in TWOFOLD_DATABASE, or a Unix socket."
            )
    return connection


def _is_encrypted(database: str) -> bool:
    return "sslmode=verify-full" in database or "host=/" in database or "host=%2F" in database


async def _check_topics(connection: Connection, ring: KeyRing) -> None:
    await reach.knock(connection)
    complaints = await broker.check(connection, keys=ring.mac.keys)
    missing = [line for line in complaints if line.startswith("There is no topic")]
    if len(missing) == len(topics.ALL):
        raise CannotStartError("Kafka has none of the topics; make them: twofold topics create")
    if complaints:
        raise CannotStartError(" ".join(complaints))


async def _wait_for(what: str, attempt: Callable[[], Awaitable[T]]) -> T:
    """Try until it is there; say once that one waits."""
    loop = asyncio.get_running_loop()
    end, told = loop.time() + PATIENCE_SECONDS, False
    while True:
        try:
            return await attempt()
        except (ProjectionUnavailableError, LogUnavailableError) as error:
            if loop.time() > end:
                raise CannotStartError(
                    f"{what} doesn't answer after {PATIENCE_SECONDS:.0f} s; start it, or correct"
                    f" its address. ({error})"
                ) from error
            if not told:
                log.warning("start.waiting", for_=what, reason=str(error))
                told = True
        except (UnfitTopicError, RefusedError) as error:
            raise CannotStartError(str(error)) from error
        await asyncio.sleep(0.5)


async def _close_pool(pool: asyncpg.Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()
