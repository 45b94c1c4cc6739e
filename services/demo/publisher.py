"""A program that publishes signed commands, written against the published contract alone."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from confluent_kafka import Producer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.demo.world import Log, wait_until


class Publisher:
    """Another service: publishes signed commands, and learns what became of each."""

    def __init__(
        self,
        bootstrap: str,
        audience: str,
        key_id: str,
        key: bytes,
        outcomes: Log,
        topic: str = "twofold.commands",
    ) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})
        self._topic = topic
        self._audience, self._key_id, self._outcomes = audience, key_id, outcomes
        self._key = Ed25519PrivateKey.from_private_bytes(key)

    def close(self) -> None:
        """Let go of the broker."""
        self._outcomes.close()

    def send(
        self,
        name: str,
        data: dict[str, Any],
        command_id: str | None = None,
        actor: str | None = None,
    ) -> dict[str, Any]:
        """Publish a command, and wait for its outcome."""
        command_id = command_id or str(uuid4())
        value = self.write(name, data, command_id, actor)
        return self.publish(value, command_id, data["organisation_id"])

    def write(
        self, name: str, data: dict[str, Any], command_id: str, actor: str | None = None
    ) -> bytes:
        """A command's bytes."""
        now = datetime.now(UTC)
        command = {
            "specversion": "1.0",
            "id": command_id,
            "source": "demo",
            "type": f"twofold.command.{name}.v1",
            "time": now.isoformat(),
            "datacontenttype": "application/json",
            "audience": self._audience,
            "expiry": (now + timedelta(minutes=10)).isoformat(),
            "actor": actor or f"service/{self._key_id}",
            "data": data,
        }
        return json.dumps(command).encode()

    def publish(
        self, value: bytes, command_id: str, key: str, signature: bytes | None = None
    ) -> dict[str, Any]:
        """Publish a command's bytes, and wait for the outcome that comes after this."""
        signed = b64encode(self._key.sign(value)) if signature is None else signature
        self._outcomes.mark()
        self._producer.produce(
            self._topic, value, key.encode(),
            headers=[("keyid", self._key_id.encode()), ("signature", signed)],
        )  # fmt: skip
        self._producer.flush(10)

        def found() -> dict[str, Any] | None:
            self._outcomes.poll()
            for record in self._outcomes.records[self._outcomes.marked :]:
                outcome = record.get("data", record)
                named = command_id in (record["_key"], outcome.get("command_id"))
                if named and record.get("publisher") == self._key_id:
                    return dict(outcome)
            return None

        return dict(wait_until(f"the outcome of command {command_id}", found))
