"""E-mails from counted events: the real log, projections, vault and a real SMTP server."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from events import streams
from events.facts import Counted, Draft
from events.person import Person
from events.staff import CodeChecked, PasswordLinkIssued, TwoFactorDisabled
from events.vault.personal import seal_text
from events.vault.port import MissingEntryError
from services.notify import follower as following_events
from services.notify.follower import Follower
from services.notify.progress import GroupProgress
from services.notify.status import StatusPublisher
from services.notify.writing import ticket
from services.projections import schema
from tests.services.notify.post import Post
from tests.services.notify.sending import DATA_KEY, LINK_KEY, following, link_to, somebody
from tests.services.projections.worlds import PARTITIONS, SEALED, World, running, until


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path / "mail")
    made.open()
    yield made
    made.close()


async def test_a_link_reaches_its_owner_once(world: World, post: Post, group: str) -> None:
    async with following(world, post.port, group):
        organisation_id = await world.organisation()
        staff_id = await somebody(world, organisation_id, "one@example.org")
        draft, link = link_to(organisation_id, staff_id)
        await world.write(draft)
        await post.has(1)
        disabled = Draft(
            streams.account(organisation_id, staff_id), TwoFactorDisabled(cause="declined")
        )
        await world.write(disabled)
        await post.has(2)
    first, second = post.mails()
    assert first["To"] == "one@example.org"
    body = first.get_body(("plain",))
    assert body is not None
    assert f"http://login.example/password/{ticket(link, LINK_KEY)}" in body.get_content()
    assert second["Subject"] == "Two-factor authentication is off"


async def test_a_disabling_tells_by_whom_and_why(world: World, post: Post, group: str) -> None:
    async with following(world, post.port, group):
        organisation_id = await world.organisation()
        staff_id = await somebody(world, organisation_id, "off@example.org")
        admin_id = await somebody(world, organisation_id, "admin@example.org")
        reason = seal_text("Lost phone.", field="reason", owner=staff_id, data_key=DATA_KEY)
        draft = Draft(
            streams.account(organisation_id, staff_id),
            TwoFactorDisabled(cause="administrator", reason=reason),
        )
        for actor in (f"staff/{admin_id}", f"staff/{uuid4()}", "service/hr-system"):
            await world.write(draft, actor=actor)
        await post.has(3)
    bodies = [body.get_content() for mail in post.mails() if (body := mail.get_body(("plain",)))]
    assert all("Lost phone." in body for body in bodies)
    assert "An administrator of your organisation disabled" in bodies[0]
    assert "The support team disabled" in bodies[1]
    assert "A connected service (hr-system) disabled" in bodies[2]


async def test_an_expired_link_is_not_sent(world: World, post: Post, group: str) -> None:
    async with following(world, post.port, group):
        organisation_id = await world.organisation()
        staff_id = await somebody(world, organisation_id, "late@example.org")
        await world.write(link_to(organisation_id, staff_id, minutes=-1)[0])
        draft, link = link_to(organisation_id, staff_id)
        await world.write(draft)
        await post.has(1)
    body = post.mails()[-1].get_body(("plain",))
    assert len([one for one in post.mails() if one["To"] == "late@example.org"]) == 1
    assert body is not None
    assert ticket(link, LINK_KEY) in body.get_content()


async def test_wrong_codes_at_step_ups_are_told(world: World, post: Post, group: str) -> None:
    async with following(world, post.port, group):
        organisation_id = await world.organisation()
        staff_id = await somebody(world, organisation_id, "stepping@example.org")
        wrong = CodeChecked(purpose="step_up", outcome="wrong_code", source=SEALED)
        for _ in range(4):
            await world.write(Draft(streams.codes(organisation_id, staff_id), wrong))
        await post.has(1)
        declined = TwoFactorDisabled(cause="declined")
        await world.write(Draft(streams.account(organisation_id, staff_id), declined))
        await post.has(2)
    subjects = [mail["Subject"] for mail in post.mails()]
    assert subjects == ["Wrong codes with your password", "Two-factor authentication is off"]


@pytest.mark.faults
async def test_an_outage_of_the_mail_server_delays_and_loses_nothing(
    world: World, post: Post, group: str
) -> None:
    addresses = [f"p{n}@example.org" for n in range(4)]
    async with following(world, post.port, group):
        organisation_id = await world.organisation()
        people = [await somebody(world, organisation_id, address) for address in addresses]
        post.close()
        for staff_id in people:
            await world.write(link_to(organisation_id, staff_id)[0])
    # This process ends in the middle of the outage, too, and another one takes over.
    async with following(world, post.port, group):
        post.open()
        await post.has(4)
    received = [mail["To"] for mail in post.mails()]
    assert received == addresses
    assert len({mail["Message-ID"] for mail in post.mails()}) == 4


@pytest.mark.parametrize(
    ("error", "tries"), [(ZeroDivisionError(), 1), (MissingEntryError("gone from the vault"), 2)]
)
async def test_an_event_that_nobody_can_deal_with_stops_no_other(
    world: World, group: str, monkeypatch: pytest.MonkeyPatch, error: Exception, tries: int
) -> None:
    monkeypatch.setattr(following_events, "MISSING_FOR", timedelta(milliseconds=100))
    dealt_with: list[str] = []
    tried: list[str] = []
    bad: list[str] = []

    async def handle(counted: Counted, _person: Person | None) -> None:
        if isinstance(counted.fact, PasswordLinkIssued) and counted.stream.endswith(tuple(bad)):
            tried.append(counted.id)
            raise error
        dealt_with.append(counted.id)

    progress = GroupProgress(world.kafka, group=group, topic=world.events)
    await progress.start(PARTITIONS)
    follower = Follower(
        group,
        follows=world.follows,
        passed=world.fates.passed,
        progress=progress,
        handle=handle,
        partitions=PARTITIONS,
    )
    try:
        async with world.folding(), running(follower.run()):
            organisation_id = await world.organisation()
            staff_id = await somebody(world, organisation_id, f"bad-{uuid4()}@example.org")
            bad.append(staff_id)
            await world.write(link_to(organisation_id, staff_id)[0])
            account = streams.account(organisation_id, staff_id)
            draft = Draft(account, TwoFactorDisabled(cause="declined"))
            await world.write(draft, event_id=(behind := str(uuid4())))

            async def reached() -> bool:
                return behind in dealt_with

            await until(reached)
            assert len(tried) == tries
    finally:
        await progress.stop()


async def test_a_rebuild_sends_nothing(world: World, post: Post, group: str) -> None:
    async with following(world, post.port, group):
        organisation_id = await world.organisation()
        staff_id = await somebody(world, organisation_id, "rebuilt@example.org")
        await world.write(link_to(organisation_id, staff_id)[0])
        await post.has(1)
        before = len(post.mails())
    tables = [table.name for table in schema.all_tables()]
    await world.pool.execute(f"TRUNCATE {', '.join([*tables, 'partition_state', 'halt'])}")
    async with following(world, post.port, group):
        account = streams.account(organisation_id, staff_id)
        end = await world.log.end(world.partition(organisation_id) or 0)
        async with asyncio.timeout(20):
            while not await world.fates.passed(
                world.partition(organisation_id) or 0, end - 1, timedelta(seconds=1)
            ):
                pass

        async def folded() -> bool:
            return await world.loads.by_staff(staff_id) is not None

        await until(folded)
        await world.write(Draft(account, TwoFactorDisabled(cause="declined")))
        await post.has(before + 1)
    assert len(post.mails()) == before + 1


async def test_the_status_topic_is_told_what_is_projected(world: World, post: Post) -> None:
    published: list[tuple[bytes, bytes | None]] = []

    async def publish(key: bytes, value: bytes | None) -> None:
        published.append((key, value))

    async with world.folding():
        organisation_id = await world.organisation()
        staff_id, _, _ = await world.enrolled(organisation_id)
        partition = world.partition(organisation_id) or 0
        events, _ = await world.follows.counted_after(partition, -1)
    publisher = StatusPublisher(publish)
    for counted, person in events:
        if counted.stream.endswith(staff_id):
            await publisher.handle(counted, person)
    assert {key.decode() for key, _ in published} == {staff_id}
    assert len(published) == 2  # Registered, enrolled; a password is no matter of this topic's.
    assert b'"two_factor": "on"' in (published[-1][1] or b"")
