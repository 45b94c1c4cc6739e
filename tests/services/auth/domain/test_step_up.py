"""Both factors again, in a session; and a hash that is made anew."""

from typing import Any

import pytest

from events import streams
from events.credentials import Password
from events.log.proposal import Draft
from events.person import Person
from events.staff import CodeChecked, LoginAttempted, PasswordRehashed
from services.auth.domain import login
from services.auth.domain.decision import Decision, NewLink, account, codes, guesses
from services.auth.domain.errors import StepUpUnavailableError, TooManyAttemptsError
from services.auth.domain.login import Evidence
from tests.services.auth.domain.people import (
    DEVICE,
    LINK,
    NOW,
    SEALED,
    STAFF,
    STEP,
    enrolled,
    failures,
    person,
)

NEW_LINK = NewLink(LINK, "3" * 64)
KNOWN = "00000000-0000-4000-8000-0000000000df"


class TestHashAgain:
    def test_the_new_hash_takes_the_place_of_the_one_that_was_verified(self) -> None:
        somebody = person()
        decided = login.hash_again(somebody, STAFF, LINK)
        assert decided.drafts == [Draft(account(somebody), PasswordRehashed(credential=LINK))]

    @pytest.mark.parametrize(
        "somebody",
        [
            person(password=Password(credential=DEVICE, since=NOW)),
            person(password=None),
            person(active=False),
        ],
    )
    def test_what_came_first_stays(self, somebody: Person) -> None:
        assert not login.hash_again(somebody, STAFF, LINK).drafts


class TestStepUp:
    TOKEN = "3" * 64

    def step_up(
        self, somebody: Person, token_digest: str | None = None, **evidence: Any
    ) -> tuple[bool, Decision]:
        told: dict[str, Any] = {"password_right": True, "time_step": STEP, "source": SEALED}
        return login.step_up(somebody, LINK, token_digest, Evidence(**(told | evidence)), NOW)

    @pytest.mark.parametrize("token_digest", [None, TOKEN])
    def test_burns_the_code_and_renews_the_session_where_asked(
        self, token_digest: str | None
    ) -> None:
        granted, decided = self.step_up(enrolled(), token_digest)
        checked = CodeChecked(
            purpose="step_up", outcome="accepted", source=SEALED, time_step=STEP, session=LINK,
            token_digest=token_digest,
        )  # fmt: skip
        assert (granted, decided.drafts) == (True, [Draft(codes(enrolled()), checked)])

    def test_whoever_logged_out_first_wins(self) -> None:
        somebody = enrolled()
        ended = streams.session(somebody.organisation_id, LINK)
        assert self.step_up(somebody)[1].basis == {account(somebody), ended}

    def test_a_wrong_password_is_a_guess(self) -> None:
        granted, decided = self.step_up(enrolled(), password_right=False, device=KNOWN)
        wrong = LoginAttempted(
            outcome="wrong_password", source=SEALED, device=KNOWN, reauthentication=True
        )
        assert (granted, decided.drafts) == (False, [Draft(guesses(enrolled()), wrong)])

    @pytest.mark.parametrize(
        ("step", "outcome"), [(None, "wrong_code"), (STEP - 1, "code_already_used")]
    )
    def test_a_wrong_or_used_code_is_recorded(self, step: int | None, outcome: str) -> None:
        granted, decided = self.step_up(enrolled(), self.TOKEN, time_step=step)
        checked = decided.drafts[0].fact
        assert isinstance(checked, CodeChecked)
        assert (granted, checked.outcome, checked.time_step) == (False, outcome, None)
        assert checked.token_digest is None

    def test_paused_it_is_not_even_looked_at(self) -> None:
        guessed = failures(5)
        with pytest.raises(TooManyAttemptsError):
            self.step_up(enrolled(failed_logins=guessed))
        with pytest.raises(TooManyAttemptsError):
            self.step_up(enrolled(device_failures={KNOWN: guessed}), device=KNOWN)
        assert self.step_up(enrolled(failed_logins=guessed), device=KNOWN)[0]

    def test_there_is_none_without_an_authenticator(self) -> None:
        with pytest.raises(StepUpUnavailableError):
            self.step_up(person())
