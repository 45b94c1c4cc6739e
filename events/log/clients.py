"""
Kafka's clients, made in one place, so that each default that is wrong here is set explicitly.

aiokafka 0.14 would connect in plaintext, commit offsets by itself, begin at the end of a topic, and
acknowledge by the leader alone; idempotence and transactions stay off on purpose (aiokafka#1017 and
#1101: after a failed batch the idempotent producer refuses for ever, or hangs).
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import confluent_kafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import UnsupportedCodecError
from aiokafka.helpers import create_ssl_context
from confluent_kafka.admin import AdminClient

from events.access import BULK_GROUP

MAX_BATCH_BYTES: Final = 256 * 1024
REQUEST_TIMEOUT_MS: Final = 3_000
"""How long a produce request may wait for its acknowledgement, retries included."""

UNREADABLE: Final = (UnicodeDecodeError, UnsupportedCodecError)
"""
What aiokafka raises at a batch that it can't read, again and again: for a header's name that is no
UTF-8, and for a codec that it lacks (topics of ours store none, but did once). confluent-kafka can.
"""

_HALFWAY_SECONDS: Final = 2
"""How long whoever gives up waits for a client that is being started, so that it can be closed."""


class UnsafeConnectionError(Exception):
    """The connection would be open to others; the sentence says what to set."""


@dataclass(frozen=True, slots=True)
class Connection:
    """
    How to reach the brokers, as whom.

    Attributes:
        bootstrap: ``host:port``, separated by commas.
        security: ``SASL_SSL`` (SCRAM-SHA-512 over TLS), ``SSL`` (mutual TLS), or ``PLAINTEXT``,
            which is for development.
        username: For SASL_SSL.
        password: For SASL_SSL.
        ca_file: Certificates to trust; None: the system's.
        certificate_file: The client's own, for SSL.
        key_file: Its private key, for SSL.
    """

    bootstrap: str
    security: Literal["PLAINTEXT", "SASL_SSL", "SSL"] = "PLAINTEXT"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def to(cls, kafka: "Connection | str") -> "Connection":
        """A bare address is a development broker's, in plaintext."""
        return kafka if isinstance(kafka, Connection) else cls(kafka)

    def refuse_unsafe(self) -> None:
        """
        What production asks first.

        Raises:
            UnsafeConnectionError: In plaintext, or without saying who connects.
        """
        if self.security == "PLAINTEXT":
            raise UnsafeConnectionError(
                "Kafka would be reached in plaintext; production needs SASL_SSL or SSL."
            )
        if self.security == "SASL_SSL" and not (self.username and self.password):
            raise UnsafeConnectionError("SASL_SSL needs a user name and a password.")
        if self.security == "SSL" and not (self.certificate_file and self.key_file):
            raise UnsafeConnectionError("SSL needs the client's certificate and its key.")

    def aiokafka(self) -> dict[str, Any]:
        """Arguments for aiokafka's clients."""
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security,
            "ssl_context": self.ssl_context(),
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def librdkafka(self) -> dict[str, Any]:
        """Settings for confluent-kafka's clients."""
        settings: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security,
            "log_level": 0,
        }
        if self.security != "PLAINTEXT":
            settings["ssl.endpoint.identification.algorithm"] = "https"
        if self.security == "SASL_SSL":
            settings |= {
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        files = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
        }
        return settings | {name: str(path) for name, path in files.items() if path}

    def ssl_context(self) -> ssl.SSLContext | None:
        """For TLS: whom to trust, and that the host's name must fit; None in plaintext."""
        if self.security == "PLAINTEXT":
            return None
        context: ssl.SSLContext = create_ssl_context(
            cafile=self.ca_file, certfile=self.certificate_file, keyfile=self.key_file
        )
        return context


class _StartedWhole:
    """
    A client whose start isn't cut off halfway.

    aiokafka 0.14 forgets the connection that it asks for metadata over where `start` is cancelled
    while it waits for the answer: nothing closes it any more.
    """

    async def start(self) -> None:
        starting = asyncio.ensure_future(super().start())  # type: ignore[misc]
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait([starting], timeout=_HALFWAY_SECONDS)
            if not starting.cancel() and not starting.cancelled():
                starting.exception()  # Nobody else looks at it.
            raise


class _Consumer(_StartedWhole, AIOKafkaConsumer):  # type: ignore[misc]
    """As above."""


class _Producer(_StartedWhole, AIOKafkaProducer):  # type: ignore[misc]
    """As above."""


def producer(
    kafka: Connection | str, *, request_timeout_ms: int = REQUEST_TIMEOUT_MS
) -> AIOKafkaProducer:
    """A producer, not started; every in-sync replica acknowledges."""
    return _Producer(
        **Connection.to(kafka).aiokafka(),
        acks="all",
        enable_idempotence=False,
        transactional_id=None,
        max_batch_size=MAX_BATCH_BYTES,
        linger_ms=0,
        request_timeout_ms=request_timeout_ms,
    )


def consumer(kafka: Connection | str, *, group: str | None = None) -> AIOKafkaConsumer:
    """
    A consumer, not started, for partitions assigned by hand.

    Args:
        kafka: Where.
        group: Names the offsets that are committed, by hand too; None: they live elsewhere.
    """
    return _Consumer(
        **Connection.to(kafka).aiokafka(),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_uncommitted",
        check_crcs=True,
        # The broker answers a fetch as soon as there is a byte, so that waiting long costs nothing.
        fetch_min_bytes=1,
        fetch_max_wait_ms=500,
        request_timeout_ms=10_000,
    )


async def stop(reader: AIOKafkaConsumer) -> None:
    """
    Stop a consumer of `consumer`'s, broker or no broker.

    aiokafka's own `stop` raises CancelledError where a fetch is under way in vain, as if the caller
    were cancelled, and leaves its connections open (aiokafka#647).
    """
    stopping = asyncio.create_task(reader.stop())
    await asyncio.wait([stopping])
    if stopping.cancelled():
        await reader._client.close()  # noqa: SLF001 # What `stop` would have done next.
    else:
        stopping.result()


def bulk_consumer(kafka: Connection | str) -> confluent_kafka.Consumer:
    """A consumer of librdkafka's, for partitions assigned by hand, with events at their ends."""
    return confluent_kafka.Consumer(
        {
            **Connection.to(kafka).librdkafka(),
            "group.id": BULK_GROUP,  # Asked for by librdkafka; nothing is ever committed.
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_uncommitted",
            "check.crcs": True,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 65_536,
        }
    )


def admin(kafka: Connection | str) -> AdminClient:
    """A client that makes and describes topics."""
    return AdminClient(Connection.to(kafka).librdkafka())
