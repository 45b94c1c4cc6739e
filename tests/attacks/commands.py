"""Commands as an attacker writes them, and what becomes of those that are none."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.attacks.system import AUDIENCE, Attacked


def command(name: str, data: dict[str, Any], **changes: Any) -> bytes:
    """A command's bytes as the operator would write them, but for *changes*."""
    now = datetime.now(UTC)
    members = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "attacks",
        "type": f"twofold.command.{name}.v1",
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "audience": AUDIENCE,
        "expiry": (now + timedelta(minutes=10)).isoformat(),
        "actor": "service/operator",
        "data": data,
        **changes,
    }
    return json.dumps(members).encode()


def letters(world: Attacked) -> list[Any]:
    return world.records("twofold.dead-letters")
