"""Loads and queries, on what the projector folded from a real log."""

from datetime import timedelta

from events import streams
from events.log.proposal import Draft
from events.staff import CodeChecked, LoggedOut, LoginAttempted, PasswordLinkIssued
from services.projections.port import LoadedPerson, LoadedStranger
from tests.services.projections.worlds import SEALED, World, digest, uuid


class TestByUsername:
    async def test_finds_the_person_with_every_head(self, folded: World) -> None:
        organisation = await folded.organisation()
        username = digest()
        staff, _, _ = await folded.enrolled(organisation, username_digest=username)

        loaded = await folded.loads.by_username(username)

        assert isinstance(loaded, LoadedPerson)
        assert loaded.person.staff_id == staff
        assert loaded.person.enrolled
        assert loaded.organisation.name == "Lettings"
        assert set(loaded.heads) == {
            streams.organisation(organisation),
            *(
                f"{organisation}/{kind}/{staff}"
                for kind in ("account", "codes", "guesses", "links")
            ),
        }
        assert loaded.heads[streams.account(organisation, staff)]
        assert loaded.heads[streams.guesses(organisation, staff)] is None

    async def test_gives_a_stranger_where_nobody_holds_it(self, folded: World) -> None:
        username = digest()
        stream = streams.stranger(username)
        loaded = await folded.loads.by_username(username)
        assert isinstance(loaded, LoadedStranger)
        assert loaded.heads == {stream: None}
        fact = LoginAttempted(outcome="wrong_password", source=SEALED)

        await folded.stranger_writer.write(folded.proposal(Draft(stream, fact), heads=loaded.heads))
        loaded = await folded.loads.by_username(username)

        assert isinstance(loaded, LoadedStranger)
        assert loaded.stranger.failed_logins.in_a_row == 1
        assert loaded.heads[stream]


class TestSessions:
    async def test_a_session_is_found_by_its_token_until_logged_out(self, folded: World) -> None:
        organisation = await folded.organisation()
        staff, _, _ = await folded.enrolled(organisation)
        loaded = await folded.loads.by_staff(staff)
        assert loaded
        written, session = await folded.login(loaded, 200)

        found = await folded.loads.by_session(session.token_digest)
        live = await folded.loads.live_sessions(staff)

        assert found
        assert found.loaded.person.staff_id == staff
        assert (found.session.id, found.session.ended) == (session.id, None)
        assert found.session.verified == found.session.started
        assert [one.id for one in live] == [session.id]

        await folded.write(
            Draft(streams.session(organisation, session.id), LoggedOut(staff_id=staff))
        )
        found = await folded.loads.by_session(session.token_digest)
        assert found
        assert found.session.ended
        assert not await folded.loads.live_sessions(staff)
        assert written.offset >= 0

    async def test_a_renewed_one_is_found_by_its_new_token_alone(self, folded: World) -> None:
        organisation = await folded.organisation()
        staff, _, _ = await folded.enrolled(organisation)
        loaded = await folded.loads.by_staff(staff)
        assert loaded
        _, session = await folded.login(loaded, 400)
        renewed = CodeChecked(
            purpose="step_up", outcome="accepted", source=SEALED, time_step=401,
            session=session.id, token_digest=digest(),
        )  # fmt: skip

        await folded.write(Draft(streams.codes(organisation, staff), renewed))

        assert await folded.loads.by_session(session.token_digest) is None
        found = await folded.loads.by_session(renewed.token_digest or "")
        assert found
        assert found.session.id == session.id
        assert found.session.verified
        assert found.session.verified >= found.session.started
        assert [one.id for one in await folded.loads.live_sessions(staff)] == [session.id]

    async def test_logging_out_everywhere_ends_what_began_before(self, folded: World) -> None:
        organisation = await folded.organisation()
        staff, _, _ = await folded.enrolled(organisation)
        loaded = await folded.loads.by_staff(staff)
        assert loaded
        _, first = await folded.login(loaded, 300)
        stream = streams.session(organisation, first.id)
        await folded.write(Draft(stream, LoggedOut(staff_id=staff, everywhere=True)))
        loaded = await folded.loads.by_staff(staff)
        assert loaded
        _, second = await folded.login(loaded, 301)

        assert [one.id for one in await folded.loads.live_sessions(staff)] == [second.id]


class TestByLink:
    async def test_finds_whose_newest_link_it_is(self, folded: World) -> None:
        organisation = await folded.organisation()
        staff = await folded.person(organisation)
        tickets = [digest(), digest()]
        for ticket in tickets:
            loaded = await folded.loads.by_staff(staff)
            assert loaded
            fact = PasswordLinkIssued(
                link=uuid(),
                ticket_digest=ticket,
                cause="asked_for",
                expires=loaded.place.clock + timedelta(minutes=30),
            )
            await folded.write(Draft(streams.links(organisation, staff), fact))

        assert await folded.loads.by_link(tickets[0]) is None
        found = await folded.loads.by_link(tickets[1])
        assert found
        assert found.person.staff_id == staff
