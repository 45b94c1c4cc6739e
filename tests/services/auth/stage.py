"""Where auth's tests play: people with passwords and authenticators, and the service over HTTP."""

from base64 import b32decode, b32encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any
from uuid import uuid4

import httpx
import pyotp

from events import streams
from events.facts import Counted, Fact, Heads
from events.keys import KeyRing
from events.log.kafka import KafkaLog
from events.log.memory import MemoryLog
from events.log.proposal import Draft, Proposal
from events.log.writer import Decided, Writer
from events.organisation import (
    OrganisationRegistered,
    PasswordExpiryChanged,
    TwoFactorPolicyChanged,
)
from events.staff import (
    PasswordLinkIssued,
    PasswordSet,
    Role,
    StaffRegistered,
    TwoFactorEnrolled,
)
from events.vault.personal import Details, seal_details, username_digest
from events.vault.port import Vault
from events.vault.sealing import Kind, seal
from services.auth.adapters.passwords import Argon2Passwords
from services.auth.domain.totp import STEP_MS
from services.auth.handlers.ground import Ground, Keys
from services.auth.handlers.service import Service
from services.auth.tickets import Tickets, token_digest
from services.auth.web.app import build
from services.projections import rows
from services.projections.port import LoadedPerson, Loads
from services.shares import known
from services.web.plumbing import Plumbing
from tests.services.auth.web_client import GOOD, Somebody, Web
from tests.services.projections.worlds import World

HOME = "00000000-0000-4000-8000-000000000001"
STEP = timedelta(milliseconds=STEP_MS)
CODES_LAST = timedelta(seconds=8)
"""How long a code that is given to a test is good at least: a step's end would cut it off."""


_COUNTED = """
    SELECT r.value, r.digest, r.at, r.partition, r."offset", p.generation
      FROM recent_record r JOIN partition_state p USING (topic, partition)
     WHERE r.fate = 'counted' AND convert_from(r.value, 'UTF8')::jsonb ->> 'subject' = $1
     ORDER BY r."offset"
"""


@dataclass(slots=True)
class Stage:
    """The service on some log, vault and projections, with a decisions' clock that tests move."""

    ring: KeyRing
    loads: Loads
    vault: Vault
    events: Writer
    strangers: Writer
    passwords: Argon2Passwords
    ahead: timedelta = timedelta(0)
    world: World | None = None
    logs: Sequence[MemoryLog] = ()
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    # ---- the service ----------------------------------------------------------------------------

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def ground(self, **others: Any) -> Ground:
        told: dict[str, Any] = {
            "loads": self.loads,
            "vault": self.vault,
            "events": self.events,
            "strangers": self.strangers,
            "passwords": self.passwords,
            "tickets": self.tickets,
            "keys": Keys(self.ring),
            "now": self.now,
            "home_organisation": HOME,
        }
        return Ground(**(told | others))

    @property
    def tickets(self) -> Tickets:
        return Tickets(self.ring)

    def open(self, ground: Ground | None = None) -> Web:
        """The service over HTTP, as another process of it would be."""
        service = Service.on(ground or self.ground())

        async def ready() -> None:
            return None

        app = Plumbing(build(service, ready), service="auth")
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://auth.test", timeout=60
        )
        self._clients.append(client)
        return Web(client, service)

    @asynccontextmanager
    async def two_servers(self) -> AsyncIterator[list[Web]]:
        """Two processes of the service, each with a producer of its own; for the real log."""
        world = self.world
        assert world is not None
        async with KafkaLog(world.kafka, world.events, world.log.partitions) as log:
            other = Writer(log, world.fates, world.signer)
            yield [self.open(), self.open(self.ground(events=other))]

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    # ---- people ---------------------------------------------------------------------------------

    async def write(self, *drafts: Draft, event_id: str | None = None) -> None:
        """Write events on whatever stands; retried like any decision."""
        stream = drafts[0].stream
        event_id = event_id or str(uuid4())

        async def decide() -> Decided[None]:
            staff_id = streams.subject_id(stream)
            loaded = await self.loads.by_staff(staff_id)
            heads: Heads = loaded.heads if loaded is not None else {}
            if stream.endswith("/organisation"):
                heads = await self._organisation_heads(stream)
            return Decided(
                None,
                Proposal(
                    drafts=drafts,
                    basis=(),
                    heads=heads,
                    clock=datetime.now(UTC),
                    event_id=event_id,
                    actor="system",
                    correlation_id=event_id,
                ),
            )

        await self.events.settle(stream, decide)

    async def _organisation_heads(self, stream: str) -> Heads:
        for somebody in self._everybody.get(streams.organisation_of(stream) or "", ()):
            loaded = await self.loads.by_staff(somebody.staff_id)
            if loaded is not None:
                return loaded.heads
        return {}

    _everybody: dict[str, list[Somebody]] = field(default_factory=dict)

    async def organisation(self, organisation_id: str | None = None) -> str:
        organisation_id = organisation_id or str(uuid4())
        await self.write(
            Draft(streams.organisation(organisation_id), OrganisationRegistered(name="Lettings"))
        )
        return organisation_id

    async def policy(
        self, organisation_id: str, *, mandatory: bool = True, effective: datetime | None = None
    ) -> None:
        fact = TwoFactorPolicyChanged(mandatory=mandatory, reason="Test.", effective=effective)
        await self.write(Draft(streams.organisation(organisation_id), fact))

    async def expiry(self, organisation_id: str, days: int | None) -> None:
        fact = PasswordExpiryChanged(reason="Test.", max_age_days=days)
        await self.write(Draft(streams.organisation(organisation_id), fact))

    async def person(
        self,
        organisation_id: str,
        *,
        password: str | None = GOOD,
        enrolled: bool = False,
        role: Role = "staff",
        username: str = "",
    ) -> Somebody:
        """Somebody registered, with a password, with an authenticator where *enrolled*."""
        name = username or f"user.{uuid4().hex[:10]}"
        somebody = Somebody(organisation_id, str(uuid4()), name)
        self._everybody.setdefault(organisation_id, []).append(somebody)
        data_key = token_bytes(32)
        details = Details(somebody.username, f"{somebody.username}@test.example", "Sam Smith")
        registered = StaffRegistered(
            username_digest=username_digest(somebody.username, self.ring.derive("username")),
            data_key=await self.put(somebody, "personal", data_key),
            details=seal_details(details, owner=somebody.staff_id, data_key=data_key),
            role=role,
        )
        await self.write(Draft(somebody.account, registered))
        if password is None:
            return somebody
        somebody.password = password
        stored = await self.passwords.hash(password, known(somebody.staff_id, "stage"))
        entry = await self.put(somebody, "password", stored.encode())
        choice = "setup_new" if enrolled else "no_thanks"
        facts: list[Fact] = [PasswordSet.model_validate(
            {"credential": entry, "choice": choice, "origin": "link"}
        )]  # fmt: skip
        if enrolled:
            somebody.seed = token_bytes(20)
            authenticator = await self.put(somebody, "authenticator", somebody.seed)
            facts.append(TwoFactorEnrolled(authenticator=authenticator, method="totp", time_step=1))
        await self.write(*(Draft(somebody.account, fact) for fact in facts))
        return somebody

    async def put(self, somebody: Somebody, kind: Kind, secret: bytes) -> str:
        entry_id = str(uuid4())
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        key = self.ring.encryption
        owner = somebody.staff_id
        entry = seal(secret, entry_id=entry_id, kind=kind, owner=owner, deadline=deadline, key=key)
        await self.vault.put(entry)
        return entry_id

    async def link(self, somebody: Somebody, cause: str = "invited") -> str:
        """A link's ticket, as it would be e-mailed."""
        link_id = str(uuid4())
        ticket = self.tickets.link(link_id)
        fact = PasswordLinkIssued.model_validate({
            "link": link_id,
            "ticket_digest": token_digest(ticket),
            "cause": cause,
            "expires": self.now() + timedelta(minutes=30),
        })  # fmt: skip
        await self.write(Draft(somebody.links, fact), event_id=link_id)
        return ticket

    async def mailed(self, somebody: Somebody) -> str:
        """The ticket of the newest link."""
        loaded = await self.load(somebody)
        assert loaded.person.link is not None
        return self.tickets.link(loaded.person.link.id)

    async def load(self, somebody: Somebody) -> LoadedPerson:
        loaded = await self.loads.by_staff(somebody.staff_id)
        assert loaded is not None
        return loaded

    async def counted(self, stream: str) -> Sequence[Counted]:
        """What counted in *stream*, in order; `stranger/…` streams included."""
        if self.world is None:
            both = [one.counted for log in self.logs for one in log.judged[0]]
            return [one for one in both if one is not None and one.stream == stream]
        rows_ = await self.world.pool.fetch(_COUNTED, stream)
        return [rows.counted(row) for row in rows_]

    async def facts(self, stream: str) -> list[Any]:
        """The data of what counted in *stream*."""
        return [one.fact for one in await self.counted(stream)]

    # ---- codes ----------------------------------------------------------------------------------

    def code(self, somebody: Somebody, offset: timedelta = timedelta(0)) -> str:
        """A code that nobody used, at the decisions' clock, which moves on where none is left."""
        left = STEP - timedelta(milliseconds=int(self.now().timestamp() * 1000) % STEP_MS)
        if left < CODES_LAST:
            self.ahead += left
        current = self.step()
        if somebody.last_step >= current:
            self.ahead += STEP * (somebody.last_step + 1 - current)
            current = somebody.last_step + 1
        somebody.last_step = max(current - 1, somebody.last_step + 1)
        return self.code_of(somebody.seed, somebody.last_step)

    def step(self) -> int:
        return int(self.now().timestamp() * 1000) // STEP_MS

    @staticmethod
    def code_of(seed: bytes | None, step: int) -> str:
        assert seed is not None
        return pyotp.TOTP(b32encode(seed).decode()).generate_otp(step)

    @staticmethod
    def seed_of(secret: str) -> bytes:
        """The seed that is shown for typing."""
        return b32decode(secret.replace(" ", ""))

    def wrong_code(self, somebody: Somebody) -> str:
        """Six digits that are no code of these minutes."""
        near = {self.code_of(somebody.seed, self.step() + d) for d in range(-30, 60)}
        return next(f"{n:06d}" for n in range(1000) if f"{n:06d}" not in near)
