"""One mailbox's trouble is that mailbox's: the real follower, and a mail server that is choosy."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from events import streams
from events.facts import Draft
from events.organisation import TwoFactorPolicyChanged
from events.staff import TwoFactorDisabled
from events.vault.sealing import seal
from services.notify import follower as following_events
from services.notify import postponed as postponed_mails
from services.notify.ports import MOST_POSTPONED, Postponed
from services.notify.postponed import TRIES_BEFORE_GIVING_UP
from services.notify.progress import GroupProgress
from tests.services.notify.mailserver import MailServer
from tests.services.notify.sending import following, link_to, somebody, unreachable
from tests.services.projections.worlds import PARTITIONS, World, until

SOON = timedelta(milliseconds=50)
BUSY = "450 4.2.1 This mailbox is busy"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as made:
        yield made


async def dealt_with(world: World, progress: GroupProgress, organisation_id: str) -> None:
    """Wait until everything so far is, but for what is postponed."""
    partition = world.partition(organisation_id) or 0
    end = await world.log.end(partition)

    async def enough() -> bool:
        kept = await progress.load(partition)
        return kept is not None and kept.next_offset >= end

    await until(enough)


async def postponed(
    world: World, progress: GroupProgress, organisation_id: str
) -> tuple[Postponed, ...]:
    kept = await progress.load(world.partition(organisation_id) or 0)
    assert kept is not None
    return kept.postponed


async def links_for(world: World, organisation_id: str, *names: str) -> None:
    """Each joins, and is sent a link, in this order."""
    for name in names:
        staff_id = await somebody(world, organisation_id, f"{name}@example.org")
        await world.write(link_to(organisation_id, staff_id)[0])


async def nothing_postponed(world: World, progress: GroupProgress, organisation_id: str) -> None:
    async def nothing() -> bool:
        return not await postponed(world, progress, organisation_id)

    await until(nothing)


class TestOneMailbox:
    async def test_it_delays_no_other_and_gets_its_mail_later(
        self, world: World, server: MailServer, group: str
    ) -> None:
        server.recipients["busy@example.org"] = BUSY
        async with following(world, server.port, group, first_pause=SOON) as progress:
            organisation_id = await world.organisation()
            await links_for(world, organisation_id, "busy", "other")
            await server.has(1)
            await server.was_tried("busy@example.org", 3)
            server.recipients.clear()
            await server.has(2)
            await nothing_postponed(world, progress, organisation_id)
        assert server.addresses == ["other@example.org", "busy@example.org"]

    async def test_a_restart_loses_nothing_and_sends_nothing_twice(
        self, world: World, server: MailServer, group: str
    ) -> None:
        server.contents["busy@example.org"] = BUSY
        async with following(world, server.port, group) as progress:
            organisation_id = await world.organisation()
            await links_for(world, organisation_id, "first", "busy", "other")
            await dealt_with(world, progress, organisation_id)
            assert len(await postponed(world, progress, organisation_id)) == 1
        server.contents.clear()
        async with following(world, server.port, group, first_pause=SOON) as progress:
            await server.has(3)
            await nothing_postponed(world, progress, organisation_id)
        assert server.addresses == [f"{name}@example.org" for name in ("first", "other", "busy")]

    async def test_it_waits_for_none_that_isnt_there_yet(
        self, world: World, server: MailServer, group: str
    ) -> None:
        """Whoever wrote it, or whatever topic it was of: nothing is folded at its offset."""
        server.recipients["busy@example.org"] = BUSY
        async with following(world, server.port, group) as progress:
            organisation_id = await world.organisation()
            staff_id = await somebody(world, organisation_id, "busy@example.org")
            await world.write(link_to(organisation_id, staff_id)[0])
            await dealt_with(world, progress, organisation_id)
        partition = world.partition(organisation_id) or 0
        between = GroupProgress(world.kafka, group=group, topic=world.events)
        await between.start(PARTITIONS)
        kept = await between.load(partition)
        assert kept is not None
        early = Postponed(kept.next_offset, staff_id)
        await between.save(partition, replace(kept, postponed=(early, *kept.postponed)))
        await between.stop()
        server.recipients.clear()
        async with following(world, server.port, group, first_pause=SOON) as progress:
            await server.has(1)

    async def test_it_is_given_up_once_the_mailbox_refuses_for_good(
        self, world: World, server: MailServer, group: str
    ) -> None:
        server.recipients["busy@example.org"] = BUSY
        async with following(world, server.port, group, first_pause=SOON) as progress:
            organisation_id = await world.organisation()
            staff_id = await somebody(world, organisation_id, "busy@example.org")
            await world.write(link_to(organisation_id, staff_id)[0])
            await dealt_with(world, progress, organisation_id)
            server.recipients["busy@example.org"] = "550 5.1.1 Nobody here"
            await nothing_postponed(world, progress, organisation_id)
        assert server.received == []

    async def test_a_server_that_puts_everybody_off_is_waited_for(
        self, world: World, server: MailServer, group: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """More than may be postponed: the rest waits in its place, and nothing is given up."""
        monkeypatch.setattr(postponed_mails, "MOST_POSTPONED", 1)
        addresses = [f"p{n}@example.org" for n in range(3)]
        server.recipients |= dict.fromkeys(addresses, BUSY)
        async with following(world, server.port, group, first_pause=SOON) as progress:
            organisation_id = await world.organisation()
            for address in addresses:
                staff_id = await somebody(world, organisation_id, address)
                await world.write(link_to(organisation_id, staff_id)[0])
            await server.was_tried(addresses[1])
            server.recipients.clear()
            await dealt_with(world, progress, organisation_id)
            await nothing_postponed(world, progress, organisation_id)
        assert sorted(server.addresses) == addresses

    async def test_an_outage_that_is_answered_as_a_mailboxs_trouble_loses_nothing(
        self, world: World, server: MailServer, group: str
    ) -> None:
        server.recipients["busy@example.org"] = "451 4.3.0 Not now"
        async with following(world, server.port, group, first_pause=SOON) as progress:
            organisation_id = await world.organisation()
            staff_id = await somebody(world, organisation_id, "busy@example.org")
            account = streams.account(organisation_id, staff_id)
            for _ in range(60):
                await world.write(Draft(account, TwoFactorDisabled(cause="declined")))
            every_one_often = MOST_POSTPONED * (TRIES_BEFORE_GIVING_UP + 1)
            await server.was_tried("busy@example.org", every_one_often + 10)
            server.recipients.clear()
            await server.has(60)
            await nothing_postponed(world, progress, organisation_id)
        assert len({mail["Message-ID"] for mail in server.received}) == 60

    async def test_the_oldest_is_given_up_for_anothers_sake_while_the_server_takes_mail(
        self, world: World, server: MailServer, group: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postponed_mails, "MOST_POSTPONED", 1)
        names = ("dead", "good", "too")
        server.recipients |= {"dead@example.org": BUSY, "too@example.org": BUSY}
        async with following(world, server.port, group, first_pause=SOON) as progress:
            organisation_id = await world.organisation()
            people = [
                await somebody(world, organisation_id, f"{name}@example.org") for name in names
            ]
            for staff_id in people:
                await world.write(link_to(organisation_id, staff_id)[0])
            await dealt_with(world, progress, organisation_id)
            server.recipients.clear()
            await server.has(2)
            await nothing_postponed(world, progress, organisation_id)
        assert server.addresses == ["good@example.org", "too@example.org"]

    async def test_what_is_no_longer_due_is_not_sent_late(
        self, world: World, server: MailServer, group: str
    ) -> None:
        server.recipients["busy@example.org"] = BUSY
        async with following(world, server.port, group) as progress:
            organisation_id = await world.organisation()
            staff_id = await somebody(world, organisation_id, "busy@example.org")
            for _ in range(2):
                await world.write(link_to(organisation_id, staff_id)[0])
            await dealt_with(world, progress, organisation_id)
            assert len(await postponed(world, progress, organisation_id)) == 2
        server.recipients.clear()
        async with following(world, server.port, group, first_pause=SOON) as progress:
            await nothing_postponed(world, progress, organisation_id)
        assert server.addresses == ["busy@example.org"]  # By the newer link alone.

    async def test_two_events_under_one_id_make_two_mails(
        self, world: World, server: MailServer, group: str
    ) -> None:
        """An event's id is its caller's key, who may use it again: mails mustn't replace others."""
        async with following(world, server.port, group) as progress:
            organisation_id, event_id = await world.organisation(), str(uuid4())
            staff_id = await somebody(world, organisation_id, "twice@example.org")
            draft = Draft(
                streams.account(organisation_id, staff_id), TwoFactorDisabled(cause="declined")
            )
            for _ in range(2):
                await world.write(draft, event_id=event_id)
            await dealt_with(world, progress, organisation_id)
        assert len({mail["Message-ID"] for mail in server.received}) == 2


class TestEveryone:
    async def test_each_ones_trouble_is_theirs_alone(
        self, world: World, server: MailServer, group: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(following_events, "MISSING_FOR", timedelta(milliseconds=600))
        server.recipients |= {
            "busy@example.org": BUSY, "nobody@example.org": "550 5.1.1 Nobody here",
        }  # fmt: skip
        names = ["first", "busy", "missing", "nobody", "unreadable", "last"]
        ids = sorted(str(uuid4()) for _ in names)
        organisation_id = await _organisation(world, dict(zip(ids, names, strict=True)))
        async with following(world, server.port, group, first_pause=SOON) as progress:
            await world.write(mandatory(organisation_id))
            await dealt_with(world, progress, organisation_id)
            assert server.addresses == ["first@example.org", "last@example.org"]
            assert [one.staff_id for one in await postponed(world, progress, organisation_id)] == [
                ids[1]
            ]
            server.recipients.clear()
            await server.has(3)
            await nothing_postponed(world, progress, organisation_id)
        assert server.addresses[2:] == ["busy@example.org"]
        assert len({mail["Message-ID"] for mail in server.received}) == 3

    async def test_an_outage_in_the_midst_repeats_nothing(
        self, world: World, server: MailServer, group: str
    ) -> None:
        names = ["first", "second", "last"]
        ids = sorted(str(uuid4()) for _ in names)
        organisation_id = await _organisation(world, dict(zip(ids, names, strict=True)))
        server.recipients["second@example.org"] = "421 4.3.2 Going down"
        async with following(world, server.port, group) as progress:
            await world.write(mandatory(organisation_id))
            await server.was_tried("second@example.org", 2)
            server.recipients.clear()
            await dealt_with(world, progress, organisation_id)
        assert server.addresses == [f"{name}@example.org" for name in names]


def mandatory(organisation_id: str) -> Draft:
    fact = TwoFactorPolicyChanged(mandatory=True, reason="…")
    return Draft(streams.organisation(organisation_id), fact)


async def _organisation(world: World, people: dict[str, str]) -> str:
    """An organisation of people by id, each in the trouble that their name says."""
    async with world.folding():
        organisation_id = await world.organisation()
        for staff_id, name in people.items():
            if name == "missing":
                await unreachable(world, organisation_id, str(uuid4()), staff_id)
            elif name == "unreadable":
                data_key = await _data_key_of_somebody_else(world)
                await unreachable(world, organisation_id, data_key, staff_id)
            else:
                await somebody(world, organisation_id, f"{name}@example.org", staff_id=staff_id)
    return organisation_id


async def _data_key_of_somebody_else(world: World) -> str:
    entry_id = str(uuid4())
    await world.vault.put(
        seal(
            b"x" * 32,
            entry_id=entry_id,
            kind="personal",
            owner=str(uuid4()),
            deadline=datetime.now(UTC),
            key=world.ring.encryption,
        )
    )
    return entry_id
