"""A follower that really sends, and people to whom there is something to be sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from events import streams
from events.facts import Draft
from events.staff import PasswordLinkIssued, StaffRegistered
from events.vault.personal import Details, seal_details
from events.vault.sealing import seal
from services.notify.audience import WithoutTwoFactor
from services.notify.follower import Follower
from services.notify.notifier import Notifier
from services.notify.ports import Kept
from services.notify.postponed import FIRST_PAUSE
from services.notify.progress import GroupProgress
from services.notify.smtp import SmtpMailer
from services.notify.writing import Writing, ticket
from tests.services.projections.worlds import PARTITIONS, World, running

LINK_KEY = b"l" * 32
DATA_KEY = b"d" * 32


@asynccontextmanager
async def following(
    world: World, port: int, group: str, *, first_pause: timedelta = FIRST_PAUSE
) -> AsyncIterator[GroupProgress]:
    """Folding, and sending what follows from it to the mail server on *port*."""
    progress = GroupProgress(world.kafka, group=group, topic=world.events)
    await progress.start(PARTITIONS)
    for partition in range(PARTITIONS):
        if await progress.load(partition) is None:
            # What other tests wrote is none of this one's business.
            await progress.save(partition, Kept(await world.log.end(partition)))
    notifier = Notifier(
        follows=world.follows,
        people=world.queries,
        mailer=SmtpMailer(f"127.0.0.1:{port}", "no-reply@example.org", encrypted=False),
        writing=Writing("http://login.example", LINK_KEY),
        encryption=world.ring.encryption,
    )
    follower = Follower(
        group,
        follows=world.follows,
        passed=world.fates.passed,
        progress=progress,
        handle=notifier.handle,
        partitions=PARTITIONS,
        audience=WithoutTwoFactor(world.queries),
        accepted=lambda: notifier.accepted,
        first_pause=first_pause,
    )
    try:
        async with world.folding(), running(follower.run()):
            yield progress
    finally:
        await progress.stop()


async def somebody(
    world: World, organisation_id: str, email: str, *, staff_id: str | None = None
) -> str:
    """A person whose details are really sealed, under a data key that is really in the vault."""
    staff_id, data_key_id = staff_id or str(uuid4()), str(uuid4())
    await world.vault.put(
        seal(
            DATA_KEY,
            entry_id=data_key_id,
            kind="personal",
            owner=staff_id,
            deadline=datetime.now(UTC),
            key=world.ring.encryption,
        )
    )
    details = seal_details(Details(email, email, "A Person"), owner=staff_id, data_key=DATA_KEY)
    await _register(world, organisation_id, staff_id, email, data_key_id, details)
    return staff_id


async def unreachable(world: World, organisation_id: str, data_key: str, staff_id: str) -> None:
    """A person whose details nobody can read, under a data key of whatever kind."""
    await _register(world, organisation_id, staff_id, staff_id, data_key, "A" * 40)


async def _register(
    world: World, organisation_id: str, staff_id: str, name: str, data_key: str, details: str
) -> None:
    fact = StaffRegistered(
        username_digest=sha256(name.encode()).hexdigest(),
        data_key=data_key,
        details=details,
        role="staff",
    )
    await world.write(Draft(streams.account(organisation_id, staff_id), fact))


def link_to(organisation_id: str, staff_id: str, minutes: int = 30) -> tuple[Draft, str]:
    link = str(uuid4())
    fact = PasswordLinkIssued(
        link=link,
        ticket_digest=sha256(ticket(link, LINK_KEY).encode()).hexdigest(),
        cause="asked_for",
        expires=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes),
    )
    return Draft(streams.links(organisation_id, staff_id), fact), link
