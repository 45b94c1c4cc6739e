"""What every service stands on: it refuses what is unsafe, and waits for what isn't there yet."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from events import keys
from infra.local.ports import free_port
from services import foundation as module
from services.foundation import CannotStartError, connection_of, foundation
from services.settings import Settings
from services.web.serving import listen


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "keys.json"
    keys.save(keys.generate(), path)
    return path


def settings(key_file: Path, **changes: object) -> Settings:
    return Settings.model_validate({"mode": "development", "keys": key_file} | changes)


class TestRefusing:
    async def test_a_missing_key_ring(self, tmp_path: Path) -> None:
        with pytest.raises(CannotStartError, match="twofold keys generate"):
            async with foundation(settings(tmp_path / "none.json"), "twofold/tests"):
                pass

    async def test_a_key_ring_that_others_can_read(self, key_file: Path) -> None:
        key_file.chmod(0o644)
        with pytest.raises(CannotStartError, match="chmod 600"):
            async with foundation(settings(key_file), "twofold/tests"):
                pass

    def test_plaintext_kafka_in_production(self, key_file: Path) -> None:
        with pytest.raises(CannotStartError, match="plaintext"):
            connection_of(settings(key_file, mode="production"))

    def test_plaintext_postgresql_in_production(self, key_file: Path) -> None:
        secured = {
            "mode": "production",
            "kafka_security": "SASL_SSL",
            "kafka_username": "twofold",
            "kafka_password": "secret",
        }
        with pytest.raises(CannotStartError, match="PostgreSQL would be reached in plaintext"):
            connection_of(settings(key_file, **secured))
        encrypted = SecretStr("postgresql://db/twofold?sslmode=verify-full")
        connection = connection_of(settings(key_file, **secured, database=encrypted))
        assert connection.security == "SASL_SSL"

    async def test_a_broker_without_our_topics(
        self, key_file: Path, kafka: str, database: str
    ) -> None:
        with pytest.raises(CannotStartError, match="twofold topics create"):
            async with foundation(
                settings(key_file, kafka=kafka, database=database), "twofold/tests"
            ):
                pass

    def test_a_port_that_is_taken(self) -> None:
        with listen("127.0.0.1", 0) as taken:
            taken.listen()
            with pytest.raises(CannotStartError, match="--port"):
                listen("127.0.0.1", taken.getsockname()[1])


class TestWaiting:
    async def test_says_after_a_while_that_the_database_does_not_answer(
        self, key_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
        nobody = f"postgresql://twofold@127.0.0.1:{free_port()}/twofold"
        with pytest.raises(CannotStartError, match="PostgreSQL doesn't answer"):
            async with foundation(settings(key_file, database=nobody), "twofold/tests"):
                pass

    async def test_says_after_a_while_that_kafka_does_not_answer(
        self, key_file: Path, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
        monkeypatch.setattr("events.log.broker._TIMEOUT_SECONDS", 1)
        nobody = f"127.0.0.1:{free_port()}"
        with pytest.raises(CannotStartError, match="Kafka doesn't answer"):
            async with foundation(
                settings(key_file, kafka=nobody, database=database), "twofold/tests"
            ):
                pass
