"""What the web side stands on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from events.keys import KeyRing
from events.vault.port import Vault
from services.projections.port import Loads, Queries
from services.staff.ports import Outbox
from services.staff.publishers import PublishersFile
from services.web.health import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """
    Ports and settings.

    Attributes:
        loads: For sessions.
        queries: For answers.
        vault: For people's data keys.
        ring: Every secret key.
        publishers: Of the file.
        outbox: Where commands are published.
        home: Id of support's own organisation.
        audience: What commands to this installation name.
        now: The clock that decisions see.
        clock: The real clock.
        ready: Raises where something isn't; tells which commands stand still.
    """

    loads: Loads
    queries: Queries
    vault: Vault
    ring: KeyRing
    publishers: PublishersFile
    outbox: Outbox
    home: str
    audience: str
    now: Callable[[], datetime]
    clock: Callable[[], datetime]
    ready: Check
