"""A person's failures, links and devices, folded from their streams."""

import json

import pytest

from events.credentials import KEPT_FAILURES, Failures
from events.facts import Fact
from events.person import KEPT_DEVICES, KEPT_LINKS, Person, evolve
from events.staff import (
    AuthenticatorProposed,
    LoginOutcome,
    PasswordLinkKilled,
)
from tests.events import folding
from tests.events.people import (
    DEVICE,
    DISABLED,
    ENROLLED,
    ENTRY,
    LINK,
    PASSWORD,
    REHASHED,
    REPEATED,
    STAFF,
    code,
    link,
    login,
    person,
)
from tests.events.records import later, uuid


class TestLogins:
    @pytest.mark.parametrize("outcome", ["succeeded", "password_expired", "reset_required"])
    def test_an_accepted_code_is_burned_and_ends_the_rows(self, outcome: LoginOutcome) -> None:
        somebody = person(
            login("wrong_password"), login("wrong_code"), login(outcome, time_step=120)
        )
        assert somebody.last_time_step == 120
        assert somebody.verified == later(3)
        assert (somebody.wrong_passwords.in_a_row, somebody.wrong_codes.in_a_row) == (0, 0)

    def test_a_success_never_resets_what_strangers_see(self) -> None:
        somebody = person(login("wrong_password"), login("succeeded", time_step=1))
        assert somebody.failed_logins == Failures(in_a_row=1, recent=(later(1),))

    @pytest.mark.parametrize(
        "outcome",
        ["wrong_password", "wrong_code", "code_already_used", "codes_paused",
         "authenticator_suspended", "password_disabled", "deactivated"],
    )  # fmt: skip
    def test_every_failure_counts_as_one_outside(self, outcome: LoginOutcome) -> None:
        assert person(login(outcome)).failed_logins.in_a_row == 1

    def test_a_wrong_password_never_touches_the_codes(self) -> None:
        somebody = person(login("wrong_password"))
        assert (somebody.wrong_passwords.in_a_row, somebody.wrong_codes.in_a_row) == (1, 0)

    @pytest.mark.parametrize(
        "outcome", ["code_already_used", "codes_paused", "authenticator_suspended", "wrong_code"]
    )
    def test_only_a_wrong_code_counts_as_a_wrong_code(self, outcome: LoginOutcome) -> None:
        somebody = person(login(outcome))
        assert somebody.wrong_codes.in_a_row == (outcome == "wrong_code")
        assert somebody.wrong_passwords.in_a_row == 0

    def test_a_right_password_without_a_code_verifies_nothing(self) -> None:
        wrong = [login("wrong_password"), login("wrong_code")]
        somebody = person(*wrong, login("two_factor_mandatory"))
        assert somebody.verified is None
        assert (somebody.wrong_passwords.in_a_row, somebody.wrong_codes.in_a_row) == (0, 1)
        assert somebody.failed_logins.in_a_row == 2

    def test_a_known_devices_failures_are_its_own(self) -> None:
        somebody = person(
            login("wrong_password", device=DEVICE), login("wrong_password"),
        )  # fmt: skip
        assert somebody.device_failures[DEVICE].in_a_row == 1
        back = person(login("wrong_password", device=DEVICE), login("succeeded", device=DEVICE))
        assert back.device_failures[DEVICE] == Failures()

    def test_only_a_login_from_the_device_itself_forgets_its_failures(self) -> None:
        """With an expired password nobody is in yet; a stolen device could still be guessing."""
        failed = login("wrong_password", device=DEVICE)
        for other in (login("password_expired", device=DEVICE), login("succeeded")):
            somebody = person(failed, other)
            assert somebody.device_failures == {DEVICE: Failures(in_a_row=1, recent=(later(1),))}

    def test_a_device_that_guessed_too_often_is_let_in_with_a_new_password(self) -> None:
        somebody = person(login("wrong_password", device=DEVICE), PASSWORD)
        assert somebody.device_failures[DEVICE] == Failures(in_a_row=0, recent=(later(1),))

    def test_only_the_newest_failures_and_devices_are_kept(self) -> None:
        many = person(*[login("wrong_password", device=uuid()) for _ in range(40)])
        assert many.wrong_passwords.in_a_row == 40
        assert many.wrong_passwords.recent == tuple(
            later(at) for at in range(41 - KEPT_FAILURES, 41)
        )
        assert len(many.device_failures) == KEPT_DEVICES

    def test_which_devices_are_kept_is_the_same_after_the_state_was_stored(self) -> None:
        """PostgreSQL's jsonb sorts the keys of a mapping."""
        devices = [uuid() for _ in range(KEPT_DEVICES + 5)]
        somebody = person()
        for at, device in enumerate(devices):
            fact = login("succeeded", device=device)
            counted = folding.counted(f"x/guesses/{STAFF}", fact, at)
            now = evolve(somebody, counted)
            assert now is not None
            stored = json.dumps(now.model_dump(mode="json"), sort_keys=True)
            somebody = Person.model_validate_json(stored)
        assert somebody.devices == tuple(devices[-KEPT_DEVICES:])
        assert somebody.device_failures.keys() == set(somebody.devices)


class TestNewPasswords:
    def test_one_by_a_link_makes_its_device_known(self) -> None:
        somebody = person(PASSWORD.model_copy(update={"device": DEVICE}))
        assert somebody.devices == (DEVICE,)
        assert somebody.device_failures == {DEVICE: Failures()}

    def test_one_that_names_no_device_leaves_them_as_they_are(self) -> None:
        somebody = person(login("succeeded", device=DEVICE), PASSWORD)
        assert somebody.devices == (DEVICE,)
        assert person(PASSWORD).devices == ()


class TestLinks:
    def test_the_newest_link_takes_the_place_of_the_older(self) -> None:
        newest = uuid()
        somebody = person(link(), code("link", "wrong_code", link=LINK), link(link_id=newest))
        assert somebody.link is not None
        assert (somebody.link.id, somebody.link.wrong_codes, somebody.link.spent) == (
            newest, 0, False,
        )  # fmt: skip

    def test_wrong_codes_by_link_are_counted_apart(self) -> None:
        somebody = person(link(), *[code("link", "wrong_code", link=LINK)] * 3)
        assert somebody.link is not None
        assert (somebody.link.wrong_codes, somebody.wrong_link_codes.in_a_row) == (3, 3)
        assert somebody.wrong_codes.in_a_row == somebody.failed_logins.in_a_row == 0

    def test_whatever_was_wrong_with_them_they_use_the_link_up(self) -> None:
        outcomes = ["wrong_code", "code_already_used", "authenticator_suspended"]
        somebody = person(ENROLLED, link(), *[code("link", one, link=LINK) for one in outcomes])
        assert somebody.link is not None
        assert (somebody.link.wrong_codes, somebody.wrong_link_codes.in_a_row) == (3, 1)

    def test_a_wrong_code_by_an_older_link_is_not_the_newest_ones(self) -> None:
        somebody = person(link(), code("link", "wrong_code", link=uuid()))
        assert somebody.link is not None
        assert (somebody.link.wrong_codes, somebody.wrong_link_codes.in_a_row) == (0, 1)

    def test_a_code_accepted_by_link_is_burned_but_verifies_no_session(self) -> None:
        wrong = code("link", "wrong_code", link=LINK)
        right = code("link", "accepted", time_step=130, link=LINK)
        somebody = person(ENROLLED, login("wrong_code"), link(), wrong, right)
        assert somebody.last_time_step == 130
        assert somebody.verified is None
        # The row of those given by links is over, and no other.
        assert (somebody.wrong_link_codes.in_a_row, somebody.wrong_codes.in_a_row) == (0, 1)

    @pytest.mark.parametrize("purpose", ["link", "step_up"])
    def test_a_code_that_is_not_accepted_burns_nothing_whatever_it_says(self, purpose: str) -> None:
        somebody = person(ENROLLED, code(purpose, "code_already_used", time_step=130))
        assert (somebody.last_time_step, somebody.verified) == (100, None)

    def test_a_killed_link_is_spent(self) -> None:
        killed = person(link(), PasswordLinkKilled(link=LINK, cause="wrong_codes")).link
        assert killed is not None
        assert killed.spent

    def test_only_what_an_outsider_can_cause_counts_towards_the_limit(self) -> None:
        causes = ["invited", "asked_for", "required", "mandatory", "asked_for", "asked_for"]
        somebody = person(*[link(cause) for cause in causes])
        assert somebody.links_asked_for == (later(4), later(5), later(6))
        assert len(somebody.links_asked_for) == KEPT_LINKS

    def test_only_the_newest_proposed_authenticator_can_be_confirmed(self) -> None:
        change, first, second = uuid(), uuid(), uuid()
        proposals = [
            AuthenticatorProposed(change=change, candidate=candidate)
            for candidate in (first, second)
        ]
        assert person(*proposals).proposed == (change, second)
        assert person(*proposals, PASSWORD).proposed is None


class TestDisclosed:
    PROPOSED = AuthenticatorProposed(change=LINK, candidate=ENTRY)

    def test_what_is_shown_and_told_is_counted_whatever_change_it_is_in(self) -> None:
        other = AuthenticatorProposed(change=DEVICE, candidate=ENTRY)
        assert person(link(), self.PROPOSED, other, REPEATED, self.PROPOSED).disclosed == 4

    @pytest.mark.parametrize(
        "fact", [link(), PASSWORD, DISABLED, login("password_expired")], ids=str
    )
    def test_a_new_way_to_a_new_password_begins_anew(self, fact: Fact) -> None:
        assert person(self.PROPOSED, REPEATED, fact).disclosed == 0

    @pytest.mark.parametrize("fact", [login("succeeded"), login("wrong_code"), REHASHED], ids=str)
    def test_nothing_else_does(self, fact: Fact) -> None:
        assert person(self.PROPOSED, REPEATED, fact).disclosed == 2


class TestStepUp:
    def test_a_code_for_a_step_up_verifies_and_is_burned(self) -> None:
        somebody = person(
            ENROLLED,
            login("wrong_code"),
            code("step_up", "accepted", time_step=140, session=uuid()),
        )
        assert (somebody.verified, somebody.last_time_step) == (later(3), 140)
        assert somebody.wrong_codes.in_a_row == 0

    def test_a_wrong_code_for_a_step_up_counts_as_a_logins(self) -> None:
        somebody = person(ENROLLED, code("step_up", "wrong_code", session=uuid()))
        assert (somebody.wrong_codes.in_a_row, somebody.wrong_link_codes.in_a_row) == (1, 0)
