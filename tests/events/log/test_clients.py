"""Every client is made with what this system needs, not what libraries assume (SECURITY V-7)."""

import asyncio
import gc
import inspect
import ssl
import warnings
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from events.log import clients
from events.log.clients import Connection, UnsafeConnectionError

SASL = Connection("broker:9093", "SASL_SSL", username="auth", password="a-password")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What aiokafka's clients are told; nothing connects."""
    told: dict[str, object] = {}
    for name in ("_Producer", "_Consumer"):
        monkeypatch.setattr(clients, name, lambda **arguments: told.update(arguments))
    return told


class TestConnection:
    @pytest.mark.parametrize(
        "connection",
        [
            Connection("broker:9092"),
            Connection("broker:9093", "SASL_SSL"),
            Connection("broker:9093", "SASL_SSL", username="auth"),
            Connection("broker:9093", "SSL"),
        ],
    )
    def test_production_refuses_what_is_open(self, connection: Connection) -> None:
        with pytest.raises(UnsafeConnectionError):
            connection.refuse_unsafe()

    def test_production_takes_scram_and_mutual_tls(self) -> None:
        SASL.refuse_unsafe()
        Connection(
            "broker:9093", "SSL", certificate_file=Path("own.pem"), key_file=Path("own.key")
        ).refuse_unsafe()

    def test_tls_checks_the_hosts_name(self) -> None:
        """Without it, SCRAM can be asked by anybody (V-8)."""
        context = SASL.aiokafka()["ssl_context"]
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        settings = SASL.librdkafka()
        assert settings["ssl.endpoint.identification.algorithm"] == "https"
        assert settings["sasl.mechanism"] == "SCRAM-SHA-512"

    def test_a_bare_address_is_a_development_brokers(self) -> None:
        assert Connection.to("broker:9092") == Connection("broker:9092", "PLAINTEXT")
        assert Connection.to(SASL) is SASL

    def test_it_shows_no_password(self) -> None:
        assert "a-password" not in repr(SASL)


class TestClients:
    def test_a_producer_waits_for_all_and_has_no_sequence(self, told: dict[str, object]) -> None:
        clients.producer(SASL)
        assert told["acks"] == "all"
        assert told["enable_idempotence"] is False
        assert told["transactional_id"] is None
        assert told["security_protocol"] == "SASL_SSL"
        assert told["sasl_mechanism"] == "SCRAM-SHA-512"

    def test_a_consumer_commits_nothing_and_begins_at_the_start(
        self, told: dict[str, object]
    ) -> None:
        clients.consumer(SASL)
        assert told["group_id"] is None
        assert told["enable_auto_commit"] is False
        assert told["auto_offset_reset"] == "earliest"
        assert told["isolation_level"] == "read_uncommitted"
        assert told["security_protocol"] == "SASL_SSL"

    @pytest.mark.parametrize(
        ("client", "defaults"),
        [
            (AIOKafkaProducer, {"security_protocol": "PLAINTEXT", "sasl_mechanism": "PLAIN"}),
            (AIOKafkaConsumer, {"enable_auto_commit": True, "auto_offset_reset": "latest"}),
        ],
    )
    def test_the_librarys_own_defaults_are_still_the_wrong_ones(
        self, client: type, defaults: dict[str, object]
    ) -> None:
        parameters = inspect.signature(client).parameters
        assert {name: parameters[name].default for name in defaults} == defaults


async def test_whoever_gives_up_while_a_client_starts_leaves_no_connection(kafka: str) -> None:
    """Wherever it is cut off: aiokafka's own `start` forgets a connection at one of its waits."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        for cut_off_after in range(60):
            reader = clients.consumer(kafka)
            starting = asyncio.ensure_future(reader.start())
            await asyncio.wait([starting], timeout=cut_off_after / 10_000)
            starting.cancel()
            await asyncio.wait([starting])
            await clients.stop(reader)
            del reader, starting
        gc.collect()
    assert [str(one.message) for one in told if "Unclosed" in str(one.message)] == []
