"""Finishing a login: the truth table, row by row, and what each decision relies on."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from events.organisation import Policy
from events.person import Person
from events.staff import LoginAttempted, PasswordLinkIssued
from services.auth.domain import login
from services.auth.domain.decision import (
    Decision,
    NewLink,
    account,
    codes,
    guesses,
    links,
    organisation,
)
from services.auth.domain.errors import TooManyAttemptsError
from services.auth.domain.login import Evidence, NewSession
from tests.services.auth.domain.people import (
    DEVICE,
    LINK,
    MANDATORY,
    NOW,
    OPTIONAL,
    SEALED,
    STAFF,
    STEP,
    enrolled,
    failures,
    person,
)

SESSION = NewSession(session=LINK, token_digest="2" * 64, device=DEVICE)
NEW_LINK = NewLink(LINK, "3" * 64)
OLD = Policy(max_age_days=5)
KNOWN = "00000000-0000-4000-8000-0000000000df"
"""A device that logged in before; `SESSION` would make another known."""


@dataclass
class When:
    """A person who finishes a login."""

    somebody: Person
    policy: Policy = OPTIONAL

    def finishes(self, *, right: bool = True, **evidence: Any) -> tuple[str, Decision]:
        told: dict[str, Any] = {"time_step": None, "source": SEALED} | evidence
        proof = Evidence(password_right=right, **told)
        return login.finish_login(self.somebody, self.policy, proof, SESSION, NEW_LINK, NOW)


def given(somebody: Person, policy: Policy = OPTIONAL) -> When:
    return When(somebody, policy)


def fact(decided: Decision) -> LoginAttempted:
    first = decided.drafts[0].fact
    assert isinstance(first, LoginAttempted)
    return first


class TestTruthTable:
    """Password, code, enrolled, mandatory, reset required, too old: one outcome each."""

    @pytest.mark.parametrize("right", [True, False])
    @pytest.mark.parametrize("code", ["none", "right", "used"])
    @pytest.mark.parametrize("has_2fa", [True, False])
    @pytest.mark.parametrize("mandatory", [True, False])
    @pytest.mark.parametrize("reset", [True, False])
    @pytest.mark.parametrize("old", [True, False])
    def test_every_row(
        self, code: str, *, right: bool, has_2fa: bool, mandatory: bool, reset: bool, old: bool
    ) -> None:
        somebody = (enrolled if has_2fa else person)(reset_required=reset)
        policy = Policy(mandatory=mandatory, max_age_days=5 if old else None)
        step = {"none": None, "right": STEP, "used": STEP - 1}[code]
        outcome, decided = given(somebody, policy).finishes(right=right, time_step=step)
        assert outcome == _expected(
            code, right=right, has_2fa=has_2fa, mandatory=mandatory, reset=reset, old=old
        )
        assert fact(decided).outcome == outcome
        assert (fact(decided).session is not None) == (outcome == "succeeded")
        leads_on = outcome in {"reset_required", "two_factor_mandatory"}
        sent = [draft for draft in decided.drafts if isinstance(draft.fact, PasswordLinkIssued)]
        assert len(sent) == leads_on
        burned = has_2fa and outcome in {"succeeded", "reset_required", "password_expired"}
        assert fact(decided).time_step == (STEP if burned else None)


def _expected(
    code: str, *, right: bool, has_2fa: bool, mandatory: bool, reset: bool, old: bool
) -> str:
    """The table, written a second time."""
    rows = [
        (not right, "wrong_password"),
        (has_2fa and code == "none", "wrong_code"),
        (has_2fa and code == "used", "code_already_used"),
        (reset, "reset_required"),
        (mandatory and not has_2fa, "two_factor_mandatory"),
        (old, "password_expired"),
    ]
    return next((outcome for holds, outcome in rows if holds), "succeeded")


class TestFinishLogin:
    def test_opens_a_session_that_says_how_it_was_opened(self) -> None:
        _, decided = given(enrolled()).finishes(time_step=STEP)
        session = fact(decided).session
        assert session is not None
        assert (session.id, session.two_factor) == (LINK, True)
        assert fact(decided).device == DEVICE

    def test_refuses_a_time_step_already_used(self) -> None:
        """RFC 6238 §5.2: a code is accepted at most once."""
        for step in (STEP - 2, STEP - 1):
            outcome, _ = given(enrolled()).finishes(time_step=step)
            assert outcome == "code_already_used"

    def test_a_deactivated_person_is_refused_whatever_they_know(self) -> None:
        outcome, _ = given(enrolled(active=False)).finishes(time_step=STEP)
        assert outcome == "deactivated"

    def test_a_hundred_wrong_passwords_leave_known_devices_alone(self) -> None:
        somebody = person(wrong_passwords=failures(100, ago=timedelta(hours=2)))
        assert given(somebody).finishes()[0] == "password_disabled"
        assert given(somebody).finishes(device=DEVICE)[0] == "succeeded"
        fewer = person(wrong_passwords=failures(99, ago=timedelta(hours=2)))
        assert given(fewer).finishes()[0] == "succeeded"

    def test_a_hundred_wrong_codes_suspend_the_authenticator(self) -> None:
        late = timedelta(hours=2)
        for counted in ("wrong_codes", "wrong_link_codes"):
            suspended = enrolled(**{counted: failures(100, ago=late)})
            assert given(suspended).finishes(time_step=STEP)[0] == "authenticator_suspended"
            nearly = enrolled(**{counted: failures(99, ago=late)})
            assert given(nearly).finishes(time_step=STEP)[0] == "succeeded"

    def test_five_wrong_codes_pause_even_a_right_one(self) -> None:
        paused = enrolled(wrong_codes=failures(5, ago=timedelta(seconds=29)))
        assert given(paused).finishes(time_step=STEP)[0] == "codes_paused"
        over = enrolled(wrong_codes=failures(5, ago=timedelta(seconds=30)))
        assert given(over).finishes(time_step=STEP)[0] == "succeeded"

    def test_a_wrong_password_moves_the_guesses_alone_and_relies_on_nothing(self) -> None:
        _, decided = given(enrolled()).finishes(right=False, time_step=STEP)
        assert [draft.stream for draft in decided.drafts] == [guesses(enrolled())]
        assert decided.basis == frozenset()
        assert fact(decided).time_step is None

    def test_a_success_relies_on_account_organisation_and_where_unknown_on_guesses(self) -> None:
        somebody = enrolled()
        _, decided = given(somebody).finishes(time_step=STEP)
        relied = {account(somebody), organisation(somebody), guesses(somebody)}
        assert decided.basis == relied
        _, known = given(somebody).finishes(time_step=STEP, device=DEVICE)
        assert known.basis == relied - {guesses(somebody)}

    def test_whatever_a_right_password_leads_to_relies_on_the_same(self) -> None:
        """Else the hundredth wrong one could come between, and the right one still be told."""
        for somebody, policy in (
            (person(reset_required=True), OPTIONAL), (person(), MANDATORY), (person(), OLD),
        ):  # fmt: skip
            _, decided = given(somebody, policy).finishes()
            relied = {account(somebody), organisation(somebody), guesses(somebody)}
            assert decided.basis == relied

    def test_a_failure_is_of_the_known_device_it_came_from_and_of_no_new_one(self) -> None:
        """A stolen device is paused by its own failures; whoever has none makes none known."""
        for right in (True, False):
            _, decided = given(enrolled()).finishes(right=right, device=KNOWN)
            assert (fact(decided).session, fact(decided).device) == (None, KNOWN)
            _, decided = given(enrolled()).finishes(right=right)
            assert (fact(decided).session, fact(decided).device) == (None, None)

    def test_a_wrong_code_relies_on_no_guesses(self) -> None:
        """Somebody who hammers passwords doesn't get in the way of counting wrong codes."""
        somebody = enrolled()
        _, decided = given(somebody).finishes()
        assert decided.basis == {account(somebody), organisation(somebody)}

    def test_paused_it_is_not_even_looked_at(self) -> None:
        somebody = enrolled(failed_logins=failures(5, ago=timedelta(seconds=2)))
        with pytest.raises(TooManyAttemptsError) as refused:
            given(somebody).finishes(time_step=STEP)
        assert refused.value.retry_after == timedelta(seconds=3)

    @pytest.mark.parametrize(
        ("somebody", "policy", "expected", "cause"),
        [
            (person(reset_required=True), OPTIONAL, "reset_required", "asked_for"),
            (person(), MANDATORY, "two_factor_mandatory", "mandatory"),
        ],
    )
    def test_where_only_a_link_leads_on_it_is_issued_in_the_same_batch(
        self, somebody: Person, policy: Policy, expected: str, cause: str
    ) -> None:
        outcome, decided = given(somebody, policy).finishes()
        assert outcome == expected
        attempt, issued = decided.drafts
        assert (attempt.stream, issued.stream) == (codes(somebody), links(somebody))
        assert isinstance(issued.fact, PasswordLinkIssued)
        assert issued.fact.cause == cause
        assert issued.fact.expires == NOW + timedelta(minutes=30)

    def test_beyond_three_links_an_hour_the_newest_stays_good(self) -> None:
        asked = tuple(NOW - timedelta(minutes=m) for m in (50, 40, 30))
        _, decided = given(person(links_asked_for=asked), MANDATORY).finishes()
        assert len(decided.drafts) == 1

    def test_it_does_not_outlive_the_policys_start_or_the_passwords_age(self) -> None:
        starts = NOW + timedelta(seconds=4)
        ahead = Policy(mandatory=True, effective=starts)
        assert given(person(), ahead).finishes()[1].lapses == starts
        assert given(enrolled(), ahead).finishes(time_step=STEP)[1].lapses is None
        aging = Policy(max_age_days=11)
        assert given(person(), aging).finishes()[1].lapses == NOW + timedelta(days=1)
        assert given(person(), OLD).finishes()[1].lapses is None

    def test_a_password_is_too_old_from_the_moment_on_that_it_was_to_last_for(self) -> None:
        """The people of these tests have had theirs for ten days."""
        assert given(person(), Policy(max_age_days=11)).finishes()[0] == "succeeded"
        outcome, decided = given(person(), Policy(max_age_days=10)).finishes()
        assert (outcome, decided.lapses) == ("password_expired", None)

    def test_a_stranger_is_recorded_as_a_wrong_password_is(self) -> None:
        decided = login.attempt_of_stranger("0" * 64, SEALED)
        known = given(person()).finishes(right=False)[1]
        assert decided.drafts[0].fact == known.drafts[0].fact
        assert decided.drafts[0].stream == f"stranger/{'0' * 64}"


def test_whose_failures_are_shown_depends_on_nothing_but_failed_logins() -> None:
    """A code's pause or a suspension must not show: they need a right password to come about."""
    somebody = enrolled(wrong_codes=failures(100), wrong_passwords=failures(100))
    login.refuse_while_paused(somebody, None, NOW)
    assert somebody.staff_id == STAFF


def test_what_failed_while_nobody_had_the_username_pauses_it_still() -> None:
    """Else the pause would end as somebody gets it, before the eyes of whoever brought it about."""
    somebody = person(failed_logins=failures(2))
    with pytest.raises(TooManyAttemptsError):
        login.refuse_while_paused(somebody, None, NOW, failures(18))
    login.refuse_while_paused(somebody, DEVICE, NOW, failures(18))
    login.refuse_while_paused(somebody, None, NOW + timedelta(hours=1), failures(18))
