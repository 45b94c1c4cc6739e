"""Settings are told by the environment, and refused there with what would do."""

import pytest

from services.cli.failures import sentence
from services.settings import Settings


def test_trusted_proxies_stand_between_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")
    assert Settings().trusted_proxies == ("127.0.0.1", "10.0.0.0/8")


def test_an_ipv6_place_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_KAFKA", "[::1]:9092, kafka.example:9092")
    assert Settings().kafka.startswith("[::1]")


@pytest.mark.parametrize(
    ("name", "value", "would_do"),
    [
        ("MODE", "prod", "'development' or 'production'"),
        ("KAFKA", "broker", "host:port"),
        ("SMTP", "mail.example", "host:port"),
        ("DATABASE", "twofold:s3cret@db", "postgresql://"),
        ("STAFF_URL", "localhost:8001", "https://"),
        ("TRUSTED_PROXIES", "proxy.example", "IP addresses"),
        ("CONNECTIONS", "3", "10"),
        ("KAFKA_CA", "nowhere.pem", "a file"),
    ],
)
def test_what_cant_be_used_is_told_with_what_would_do(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, would_do: str
) -> None:
    monkeypatch.setenv(f"TWOFOLD_{name}", value)
    with pytest.raises(ValueError, match=f"TWOFOLD_{name}|validation error") as raised:
        Settings()
    told = sentence(raised.value)
    assert told.startswith(f"TWOFOLD_{name} can't be used")
    assert would_do in told
    assert value not in told.replace(would_do, "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("TWOFOLD_TRUSTED_PROXY", "TWOFOLD_TRUSTED_PROXIES"),
        ("TWOFOLD_DATABASE_PASSWORD", "TWOFOLD_DATABASE_PASSWORD_FILE"),
        ("twofold_kafka_securtiy", "TWOFOLD_KAFKA_SECURITY"),
    ],
)
def test_a_misspelt_name_is_refused_and_not_silently_nothing(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.setenv(written, "anything")
    with pytest.raises(ValueError, match=r"is no setting") as raised:
        Settings()
    assert sentence(raised.value) == f"{written.upper()} is no setting; is {meant} meant?"


def test_names_of_others_are_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWOFOLD_VERSION", "TWOFOLD_KAFKA_PORT", "TWOFOLD_LOG", "KAFKA_SECURTIY"):
        monkeypatch.setenv(name, "anything")
    Settings()
