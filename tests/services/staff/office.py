"""An office of the staff service on real servers: its publishers, and its people."""

import json
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events import streams
from events.command_wire import sign, write_command
from events.commands import parse_command
from events.facts import Draft
from events.person import Person
from events.staff import LoginAttempted, PasswordSet, Role, SessionStarted, TwoFactorEnrolled
from services.staff.adapters.lease import advisory_leases
from services.staff.adapters.outbox import KafkaOutbox
from services.staff.adapters.source import KafkaSource
from services.staff.consumer import Consumer, Handler
from services.staff.deciding import Deciding
from services.staff.folded import folded
from services.staff.handlers import CommandHandler
from services.staff.ports import Outlet
from services.staff.publishers import PublishersFile
from services.staff.stops import Stops
from services.staff.usernames import Usernames
from tests.services.projections.worlds import PARTITIONS, SEALED, World, running, until
from tests.services.staff.mail import Mail
from tests.services.staff.people import uuid

AUDIENCE = "tests/twofold.commands"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Key:
    """A publisher's key."""

    id: str
    private: Ed25519PrivateKey


@dataclass
class Office:
    """Everything that a test of the staff service needs."""

    world: World
    commands: str
    home: str
    publishers: PublishersFile
    publishers_path: Path
    outbox: KafkaOutbox
    operator: Key
    people: Key
    outcomes: Mail
    dead_letters: Mail
    producer: AIOKafkaProducer
    group: str

    # ---- the service ----------------------------------------------------------------------------

    def handler(self, *, behind: timedelta = timedelta(0)) -> CommandHandler:
        """With a clock that is so far behind Kafka's, as far as usernames go."""
        world = self.world
        deciding = Deciding(
            loads=world.loads,
            vault=world.vault,
            ring=world.ring,
            usernames=Usernames(
                world.loads, world.writer, lambda: now() - behind, timedelta(seconds=2)
            ),
            random_bytes=os.urandom,
        )
        return CommandHandler(
            loads=world.loads,
            writer=world.writer,
            publishers=self.publishers,
            deciding=deciding,
            home=self.home,
            audience=AUDIENCE,
            now=now,
            clock=now,
        )

    def consumer(
        self,
        outlet: Outlet | None = None,
        handler: Handler | None = None,
        stops: Stops | None = None,
    ) -> Consumer:
        world = self.world
        return Consumer(
            partitions=PARTITIONS,
            source=lambda partition: KafkaSource(
                world.kafka, self.commands, partition, group=self.group
            ),
            outlet=outlet or self.outbox,
            handler=handler or self.handler(),
            lease=advisory_leases(world.database, self.group),
            folded=lambda: folded(world.log, world.fates, world.queries),
            stops=stops or Stops(),
        )

    @asynccontextmanager
    async def consuming(
        self,
        outlet: Outlet | None = None,
        handler: Handler | None = None,
        stops: Stops | None = None,
    ) -> AsyncIterator[None]:
        async with running(self.consumer(outlet, handler, stops).run()):
            yield

    def register(self, key_id: str) -> Key:
        """A publisher who may do everything as itself, registered while everything runs."""
        key = Key(key_id, Ed25519PrivateKey.generate())
        public = b64encode(key.private.public_key().public_bytes_raw()).decode()
        lines = f"""
            [publishers.{key_id}]
            public_key = "{public}"
            service = "{key_id}"
            commands = ["*"]
            organisations = ["*"]
            actors = ["service"]
        """
        self.publishers_path.write_text(self.publishers_path.read_text() + lines)
        return key

    # ---- publishing -----------------------------------------------------------------------------

    def write(
        self,
        name: str,
        data: Mapping[str, Any],
        *,
        command_id: str | None = None,
        key: Key | None = None,
        actor: str | None = None,
        session_id: str | None = None,
        audience: str = AUDIENCE,
        lifetime: timedelta = timedelta(minutes=5),
    ) -> bytes:
        return write_command(
            parse_command(name, data),
            command_id=command_id or uuid(),
            source="tests",
            audience=audience,
            actor=actor or f"service/{(key or self.operator).id}",
            now=now(),
            lifetime=lifetime,
            session_id=session_id,
        )

    async def put(
        self,
        value: bytes | None,
        *,
        key: bytes | None = b"k",
        headers: list[tuple[str, bytes]] | None = None,
        signer: Key | None = None,
        partition: int = 0,
    ) -> None:
        """Put a record on the commands' topic; signed, unless headers are given."""
        if headers is None:
            headers = self.signed(value or b"", signer)
        await self.producer.send_and_wait(
            self.commands, value, key=key, headers=headers, partition=partition
        )

    def signed(self, value: bytes, signer: Key | None = None) -> list[tuple[str, bytes]]:
        """Headers with the operator's signature, or another's."""
        signing = signer or self.operator
        return sign(value, signing.id, signing.private)

    async def outcome(self, command_id: str, count: int = 1) -> dict[str, Any]:
        """The newest of the first *count* outcomes of a command."""
        found = await self.outcomes.wait_for(
            lambda _, value: value["data"]["command_id"] == command_id, count
        )
        return dict(found[count - 1]["data"])

    async def all_committed(self) -> None:
        """Wait until whoever consumes next begins after every command that there is."""
        async with AIOKafkaConsumer(
            bootstrap_servers=self.world.kafka, group_id=self.group, enable_auto_commit=False
        ) as reader:
            places = [TopicPartition(self.commands, one) for one in range(PARTITIONS)]
            reader.assign(places)
            ends = await reader.end_offsets(places)

            async def committed() -> bool:
                return all([(await reader.committed(one) or 0) == ends[one] for one in places])

            await until(committed)

    async def dead_letter(self, key: bytes) -> dict[str, Any]:
        """The first dead letter with that key."""
        return (await self.dead_letters.wait_for(lambda found, _: found == key))[0]

    async def send(self, name: str, data: Mapping[str, Any], **how: Any) -> dict[str, Any]:
        """Publish a command, and wait for its outcome."""
        value, key = self.write(name, data, **how), how.get("key") or self.operator
        await self.put(value, signer=key)
        command_id = json.loads(value)["id"]
        found = await self.outcomes.wait_for(
            lambda _, one: one["data"]["command_id"] == command_id and one["publisher"] == key.id
        )
        return dict(found[0]["data"])

    # ---- people ---------------------------------------------------------------------------------

    async def organisation(self, organisation_id: str | None = None) -> str:
        organisation_id = organisation_id or uuid()
        outcome = await self.send(
            "register_organisation", {"organisation_id": organisation_id, "name": "Acme"}
        )
        assert outcome["outcome"] == "accepted", outcome
        return organisation_id

    def newcomer(self, organisation_id: str, role: Role = "staff") -> dict[str, Any]:
        name = uuid4().hex[:12]
        return {
            "organisation_id": organisation_id,
            "staff_id": uuid(),
            "username": name,
            "email": f"{name}@acme.example",
            "display_name": f"Somebody {name}",
            "role": role,
        }

    async def join(
        self, organisation_id: str, role: Role = "staff", *, enrolled: bool = False
    ) -> Person:
        """Register somebody by a command; where asked for, give them password and authenticator."""
        data = self.newcomer(organisation_id, role)
        outcome = await self.send("register_staff", data)
        assert outcome["outcome"] == "accepted", outcome
        if enrolled:
            account = streams.account(organisation_id, data["staff_id"])
            await self.world.write(
                Draft(
                    account, PasswordSet(credential=uuid(), choice="setup_new", origin="expired")
                ),
                Draft(account, TwoFactorEnrolled(authenticator=uuid(), method="totp", time_step=1)),
            )
        return await self.person(data["staff_id"])

    async def log_in(
        self,
        person: Person,
        time_step: int = 100,
        token: str | None = None,
        *,
        two_factor: bool = True,
    ) -> SessionStarted:
        """A session, with both factors proved just now unless it is to be without them."""
        loaded = await self.world.loads.by_staff(person.staff_id)
        assert loaded is not None
        session = SessionStarted(
            id=uuid(),
            token_digest=sha256((token or uuid()).encode()).hexdigest(),
            two_factor=two_factor,
        )
        attempted = LoginAttempted(
            outcome="succeeded",
            source=SEALED,
            time_step=time_step if two_factor else None,
            session=session,
        )
        organisation_id, staff_id = person.organisation_id, person.staff_id
        await self.world.writer.write(
            self.world.proposal(
                Draft(streams.codes(organisation_id, staff_id), attempted),
                basis=[streams.account(organisation_id, staff_id)],
                heads=loaded.heads,
            )
        )
        return session

    async def person(self, staff_id: str) -> Person:
        loaded = await self.world.loads.by_staff(staff_id)
        assert loaded is not None
        return loaded.person

    def about(self, person: Person) -> dict[str, Any]:
        return {
            "organisation_id": person.organisation_id,
            "staff_id": person.staff_id,
            "reason": "Asked for by telephone.",
        }

    async def counted(self, stream: str) -> list[str]:
        """Names of the events that counted on a stream, in order."""
        found = []
        for partition in range(PARTITIONS):
            events, _ = await self.world.follows.counted_after(partition, -1, 100_000)
            found += [one.fact.wire_name for one, _ in events if one.stream == stream]
        return [name.split(".")[1] for name in found]
