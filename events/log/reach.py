"""Why a broker can't be used: knocked at once before anything starts, so that it can be said."""

import asyncio
import socket
import ssl
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from events.log.clients import Connection
from events.log.port import LogUnavailableError

_SECONDS: Final = 5


class RefusedError(Exception):
    """Trying again won't help: the sentence says what doesn't fit."""


async def knock(kafka: Connection | str) -> None:
    """
    See that every bootstrap address is the broker that is meant, and lets us in.

    Raises:
        RefusedError: Its certificate isn't to be trusted, it speaks no TLS where we do or the other
            way about, or it doesn't take our name and password.
        LogUnavailableError: It is away.
    """
    await asyncio.to_thread(_knock, Connection.to(kafka))


def away(kafka: Connection | str, error: KafkaException) -> LogUnavailableError:
    """What *error* of librdkafka's means to whoever is at the terminal."""
    return LogUnavailableError(
        f"Kafka at {Connection.to(kafka).bootstrap} is away ({error.args[0].str()}); start it, or"
        " correct TWOFOLD_KAFKA."
    )


def _knock(connection: Connection) -> None:
    context = connection.ssl_context()
    for address in connection.bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        if context is not None:
            _shake_hands(host, int(port), context)
    _come_in(connection)


def _shake_hands(host: str, port: int, context: ssl.SSLContext) -> None:
    try:
        with (
            socket.create_connection((host, port), _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return
    except ssl.SSLCertVerificationError as error:
        raise RefusedError(
            f"Kafka at {host}:{port} shows a certificate that isn't trusted"
            f" ({error.verify_message.rstrip('.')}); check TWOFOLD_KAFKA_CA and the address."
        ) from error
    except ssl.SSLError as error:
        raise RefusedError(
            f"Kafka at {host}:{port} doesn't speak TLS with us ({error.reason}); see that it is"
            " the port of its SASL_SSL listener."
        ) from error
    except (OSError, TimeoutError) as error:
        raise LogUnavailableError(
            f"Kafka at {host}:{port} is away ({type(error).__name__}); start it, or correct"
            " TWOFOLD_KAFKA."
        ) from error


def _come_in(connection: Connection) -> None:
    refused: list[KafkaError] = []

    def heard(error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 # librdkafka's own code.
            refused.append(error)

    settings: dict[str, Any] = {**connection.librdkafka(), "error_cb": heard}
    admin = AdminClient(settings)
    try:
        admin.list_topics(timeout=_SECONDS)
    except KafkaException as error:
        admin.poll(0)
        if refused:
            raise RefusedError(
                f"Kafka doesn't take the user {connection.username} with this password by"
                " SCRAM-SHA-512; check TWOFOLD_KAFKA_USERNAME and TWOFOLD_KAFKA_PASSWORD."
            ) from error
        if connection.security == "PLAINTEXT" and _speaks_tls(connection.bootstrap):
            raise RefusedError(
                "Kafka speaks TLS alone there; set TWOFOLD_KAFKA_SECURITY=SASL_SSL."
            ) from error
        raise away(connection, error) from error


def _speaks_tls(bootstrap: str) -> bool:
    host, _, port = bootstrap.split(",", maxsplit=1)[0].strip().rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # Nothing is told to it.
    try:
        with (
            socket.create_connection((host, int(port)), _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except (OSError, TimeoutError):
        return False
