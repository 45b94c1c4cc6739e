"""What an opened change tells is recorded before it is told, and tells so much only."""

import pytest

from events.log.proposal import Draft
from events.staff import AuthenticatorProposed, PasswordRepeated
from services.auth.domain import password_change, throttle
from services.auth.domain.decision import account, codes, links
from services.auth.domain.errors import ChangeUsedUpError, TicketDeadError
from tests.services.auth.domain.changes import (
    CHANGE,
    EXPIRED,
    NEW_AUTHENTICATOR,
    credentials,
    finish,
)
from tests.services.auth.domain.people import LINK, NOW, SEALED, STAFF, enrolled, link, person


def test_showing_an_authenticator_is_recorded() -> None:
    somebody = person(link=link())
    decided = password_change.propose_authenticator(somebody, CHANGE, STAFF, NOW)
    proposed = AuthenticatorProposed(change=LINK, candidate=STAFF)
    assert decided.drafts == [Draft(links(somebody), proposed)]
    assert decided.basis == {account(somebody)}
    assert decided.lapses == CHANGE.expires
    with pytest.raises(TicketDeadError):
        password_change.propose_authenticator(person(credential_version=1), CHANGE, STAFF, NOW)


class TestRepeatPassword:
    def test_it_is_told_once_it_counts_and_counts_before_any_password_that_is_set(self) -> None:
        somebody = enrolled(link=link())
        decided = password_change.repeat_password(somebody, CHANGE, SEALED, NOW)
        told = Draft(codes(somebody), PasswordRepeated(change=CHANGE.change, source=SEALED))
        assert decided.drafts == [told]
        assert decided.basis == {account(somebody), links(somebody)}
        assert decided.lapses == CHANGE.expires
        # What would set one relies on the same stream: of both, one comes first.
        assert codes(somebody) in finish(somebody, credentials("no_thanks")).basis
        without = password_change.repeat_password(person(), EXPIRED, SEALED, NOW)
        assert without.basis == {account(somebody)}

    def test_nothing_is_told_once_the_change_is_over(self) -> None:
        with pytest.raises(TicketDeadError):
            password_change.repeat_password(person(credential_version=1), EXPIRED, SEALED, NOW)


class TestDisclosing:
    MOST = throttle.DISCLOSED_AT_MOST

    def test_the_last_authenticator_shown_can_be_confirmed_and_no_more_is_shown(self) -> None:
        somebody = person(link=link(), proposed=(LINK, STAFF), disclosed=self.MOST)
        with pytest.raises(ChangeUsedUpError):
            password_change.propose_authenticator(somebody, CHANGE, STAFF, NOW)
        assert finish(somebody, NEW_AUTHENTICATOR).drafts
        before = somebody.model_copy(update={"disclosed": self.MOST - 1})
        assert password_change.propose_authenticator(before, CHANGE, STAFF, NOW).drafts

    def test_beyond_it_the_change_is_over(self) -> None:
        somebody = person(link=link(), disclosed=self.MOST + 1)
        with pytest.raises(ChangeUsedUpError):
            finish(somebody, credentials("no_thanks"))
        with pytest.raises(ChangeUsedUpError):
            password_change.repeat_password(somebody, CHANGE, SEALED, NOW)
