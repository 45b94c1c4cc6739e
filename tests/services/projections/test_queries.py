"""What people and APIs are told of a person: no number of refusals hides a login."""

import pytest

from events import streams
from events.log.proposal import Draft
from events.staff import CodeChecked, LoginAttempted, PasswordRehashed
from tests.services.projections.worlds import SEALED, World, folded_to_the_end, uuid


class TestLogins:
    @pytest.mark.row(23)
    async def test_are_hidden_by_no_number_of_refusals(self, folded: World) -> None:
        organisation = await folded.organisation()
        staff, _, _ = await folded.enrolled(organisation)
        loaded = await folded.loads.by_staff(staff)
        assert loaded is not None
        written, _ = await folded.login(loaded, 200)
        guess = LoginAttempted(outcome="wrong_password", source=SEALED)
        guesses = streams.guesses(organisation, staff)
        await folded.write(*[Draft(guesses, guess) for _ in range(12)])
        await folded_to_the_end(folded)
        logins, _ = await folded.queries.logins(organisation, staff, succeeded=True)
        assert [(one.outcome, one.position.offset) for one in logins] == [
            ("succeeded", written.offset)
        ]
        refused, _ = await folded.queries.logins(organisation, staff, succeeded=False)
        assert [one.outcome for one in refused] == ["wrong_password"] * 10
        places = [one.position.offset for one in refused]
        assert places == sorted(places, reverse=True)

    async def test_have_beside_them_each_code_that_was_refused(self, folded: World) -> None:
        organisation = await folded.organisation()
        staff, _, _ = await folded.enrolled(organisation)
        codes = streams.codes(organisation, staff)
        tried = [
            LoginAttempted(outcome="wrong_password", source=SEALED, reauthentication=True),
            CodeChecked(purpose="step_up", outcome="wrong_code", source=SEALED, session=uuid()),
            CodeChecked(purpose="link", outcome="code_already_used", source=SEALED, link=uuid()),
            CodeChecked(purpose="link", outcome="accepted", source=SEALED, time_step=300),
        ]
        await folded.write(*[Draft(codes, fact) for fact in tried])
        await folded_to_the_end(folded)
        refused, _ = await folded.queries.logins(organisation, staff, succeeded=False)
        assert [(one.purpose, one.outcome) for one in refused] == [
            ("link", "code_already_used"),
            ("step_up", "wrong_code"),
            ("step_up", "wrong_password"),
        ]
        assert (await folded.queries.logins(organisation, staff, succeeded=True))[0] == []


async def test_a_history_is_told_page_by_page(folded: World) -> None:
    organisation = await folded.organisation()
    staff = await folded.person(organisation)
    account = streams.account(organisation, staff)
    await folded.write(*[Draft(account, PasswordRehashed(credential=uuid())) for _ in range(4)])
    await folded_to_the_end(folded)
    whole, _ = await folded.queries.history(organisation, staff)
    assert len(whole) == 5
    pages, before = [], None
    while True:
        page, _ = await folded.queries.history(organisation, staff, before=before, limit=2)
        if not page:
            break
        pages.append(page)
        before = page[-1].position.offset
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == whole
