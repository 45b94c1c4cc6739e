"""The doctor's whole round, where something is away."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.local.ports import free_port
from services.doctor.examine import examine
from services.settings import Settings
from services.up.keys import KeyFiles, generate


@pytest.mark.slow
async def test_kafka_away_is_waited_for_once(tmp_path: Path) -> None:
    """What else is asked of Kafka would wait as long again, when whoever asks is in haste."""
    files = KeyFiles.under(tmp_path / "keys")
    generate(files)
    nowhere = f"127.0.0.1:{free_port()}"
    found = await examine(
        Settings(
            mode="development",
            kafka=nowhere,
            database=SecretStr(f"postgresql://twofold@{nowhere}/twofold"),
            keys=files.ring,
            publishers=files.publishers,
            smtp=nowhere,
        )
    )
    told = {one.what: one.detail for one in found if not one.well}
    assert f"Kafka at {nowhere} is away" in told["Kafka"]
    of_kafka = {"topics", "Kafka's clock", "projections", "consumer groups", "commands"}
    assert {told[what] for what in of_kafka} == {"Not looked at, for Kafka doesn't answer."}
    assert told["PostgreSQL"].startswith("It doesn't answer")
