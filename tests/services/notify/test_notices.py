"""Which event calls for which e-mail."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from events import streams
from events.credentials import Enrolled, Failures, Link
from events.facts import Counted, Fact, Position
from events.organisation import TwoFactorPolicyChanged
from events.person import Person
from events.staff import (
    CodeChecked,
    LoginAttempted,
    PasswordLinkIssued,
    PasswordRehashed,
    PasswordRepeated,
    PasswordSet,
    StaffDeactivated,
    StaffDetailsChanged,
    StaffForgotten,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from services.notify.notices import STALE, Notice, is_for_everyone, notice

NOW = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
SEALED = "A" * 40
DIGEST = "a" * 64


def counted(fact: Fact, at: datetime = NOW) -> Counted:
    stream = streams.account(str(uuid4()), str(uuid4()))
    return Counted(fact, str(uuid4()), stream, DIGEST, at, Position("g", 0, 1), "system", "c")


def person(**changes: object) -> Person:
    data = {
        "staff_id": str(uuid4()),
        "organisation_id": str(uuid4()),
        "username_digest": DIGEST,
        "data_key": str(uuid4()),
        "details": SEALED,
        "role": "staff",
        "registered": NOW,
    }
    return Person.model_validate(data | changes)


def issued(link: str, cause: str = "asked_for") -> PasswordLinkIssued:
    return PasswordLinkIssued.model_validate(
        {
            "link": link,
            "ticket_digest": DIGEST,
            "cause": cause,
            "expires": NOW + timedelta(minutes=30),
        }
    )


def holding(link: str, **changes: object) -> Person:
    newest = Link(id=link, ticket_digest=DIGEST, cause="asked_for", expires=NOW + STALE)
    return person(link=newest.model_copy(update=changes))


AT_LOGIN = LoginAttempted(outcome="wrong_code", source=SEALED)
AT_STEP_UP = CodeChecked(purpose="step_up", outcome="wrong_code", source=SEALED)
BY_LINK = CodeChecked(purpose="link", outcome="wrong_code", source=SEALED)


def row(in_a_row: int) -> tuple[Failures, datetime]:
    """So many wrong codes, a second apart, and when the last of them was."""
    moments = [NOW + timedelta(seconds=n) for n in range(in_a_row)]
    return Failures(in_a_row=in_a_row, recent=tuple(moments[-20:])), moments[-1]


class TestLinks:
    @pytest.mark.parametrize("cause", ["invited", "asked_for", "required", "mandatory"])
    def test_each_cause_has_its_words(self, cause: str) -> None:
        link = str(uuid4())
        due = notice(counted(issued(link, cause)), holding(link), NOW)
        assert due is not None
        assert (due.template, due.link, due.to) == (f"link_{cause}", link, "person")

    def test_one_that_has_expired_is_not_sent(self) -> None:
        link = str(uuid4())
        late = NOW + timedelta(minutes=30)
        assert notice(counted(issued(link)), holding(link), late) is None

    def test_one_that_is_spent_is_not_sent(self) -> None:
        link = str(uuid4())
        assert notice(counted(issued(link)), holding(link, spent=True), NOW) is None

    def test_one_that_a_newer_one_replaced_is_not_sent(self) -> None:
        assert notice(counted(issued(str(uuid4()))), holding(str(uuid4())), NOW) is None

    def test_none_goes_to_somebody_who_is_deactivated(self) -> None:
        link = str(uuid4())
        gone = holding(link).model_copy(update={"active": False})
        assert notice(counted(issued(link)), gone, NOW) is None


class TestChanges:
    @pytest.mark.parametrize(
        ("fact", "template"),
        [
            (
                PasswordSet(credential=str(uuid4()), choice="no_thanks", origin="link"),
                "password_changed",
            ),
            (
                TwoFactorEnrolled(authenticator=str(uuid4()), method="totp", time_step=1),
                "authenticator_set_up",
            ),
            (TwoFactorDisabled(cause="declined"), "two_factor_declined"),
            (TwoFactorDisabled(cause="administrator", reason=SEALED), "two_factor_disabled"),
            (StaffDeactivated(reason=SEALED), "deactivated"),
        ],
    )
    def test_a_change_of_a_factor_is_told(self, fact: Fact, template: str) -> None:
        due = notice(counted(fact), person(), NOW)
        assert due is not None
        assert due.template == template

    @pytest.mark.parametrize(
        "fact",
        [
            PasswordRehashed(credential=str(uuid4())),
            PasswordRepeated(change=str(uuid4()), source=SEALED),
        ],
    )
    def test_what_changes_nothing_is_not(self, fact: Fact) -> None:
        assert notice(counted(fact), person(), NOW) is None

    def test_a_new_address_is_told_to_the_old_one(self) -> None:
        fact = StaffDetailsChanged(
            username_digest=DIGEST, details=SEALED, changed=["email"], old_email=SEALED
        )
        due = notice(counted(fact), person(), NOW)
        assert due is not None
        assert (due.template, due.to) == ("address_changed", "old_address")

    def test_a_new_name_is_told_to_nobody(self) -> None:
        fact = StaffDetailsChanged(username_digest=DIGEST, details=SEALED, changed=["display_name"])
        assert notice(counted(fact), person(), NOW) is None

    def test_nothing_is_told_to_the_forgotten(self) -> None:
        assert notice(counted(StaffForgotten()), person(forgotten=True), NOW) is None
        assert (
            notice(counted(TwoFactorDisabled(cause="declined")), person(forgotten=True), NOW)
            is None
        )

    def test_nothing_is_told_of_long_ago(self) -> None:
        old = counted(TwoFactorDisabled(cause="declined"), NOW - STALE - timedelta(seconds=1))
        assert notice(old, person(), NOW) is None

    def test_a_policy_is_told_to_everyone_without_two_factor(self) -> None:
        mandatory = counted(TwoFactorPolicyChanged(mandatory=True, reason="…"))
        assert is_for_everyone(mandatory)
        assert notice(mandatory, person(), NOW) == Notice("mandatory", values={"effective": NOW})
        enrolled = Enrolled(authenticator=str(uuid4()), method="totp", since=NOW)
        for other in (person(active=False), person(forgotten=True), person(second_factor=enrolled)):
            assert notice(mandatory, other, NOW) is None
        optional = counted(TwoFactorPolicyChanged(mandatory=False, reason="…"))
        assert not is_for_everyone(optional)
        assert notice(optional, person(), NOW) is None


class TestWrongCodes:
    @pytest.mark.parametrize(
        ("in_a_row", "template"),
        [(1, None), (2, None), (3, "wrong_codes"), (4, None), (100, "authenticator_suspended")],
    )
    @pytest.mark.parametrize("fact", [AT_LOGIN, AT_STEP_UP])
    def test_the_owner_is_told_of_some(
        self, in_a_row: int, template: str | None, fact: Fact
    ) -> None:
        """Logins and step-ups move one counter, so either may come as the one that is told."""
        failures, last = row(in_a_row)
        due = notice(counted(fact, last), person(wrong_codes=failures), NOW)
        assert (due.template if due else None) == template

    @pytest.mark.parametrize("in_a_row", [3, 10, 50, 99, 100])
    def test_of_those_by_links_the_one_is_told_that_suspends(self, in_a_row: int) -> None:
        failures, last = row(in_a_row)
        due = notice(counted(BY_LINK, last), person(wrong_link_codes=failures), NOW)
        told = Notice("authenticator_suspended_by_links", values={"count": 100})
        assert due == (told if in_a_row == 100 else None)

    def test_codes_by_links_and_others_are_counted_apart(self) -> None:
        failures, last = row(100)
        assert notice(counted(BY_LINK, last), person(wrong_codes=failures), NOW) is None
        assert notice(counted(AT_STEP_UP, last), person(wrong_link_codes=failures), NOW) is None

    @pytest.mark.parametrize("outcome", ["code_already_used", "codes_paused", "accepted"])
    def test_no_other_outcome_is_told(self, outcome: str) -> None:
        failures, last = row(3)
        fact = AT_STEP_UP.model_copy(update={"outcome": outcome})
        assert notice(counted(fact, last), person(wrong_codes=failures), NOW) is None

    def test_which_it_was_doesnt_depend_on_what_came_after(self) -> None:
        """A mail that is sent late says the same as one that is sent at once."""
        moments = [NOW + timedelta(seconds=n) for n in range(7)]
        failures = Failures(in_a_row=7, recent=tuple(moments))
        fact = LoginAttempted(outcome="wrong_code", source=SEALED)
        due = notice(counted(fact, moments[2]), person(wrong_codes=failures), NOW)
        assert due == Notice("wrong_codes", values={"count": 3})
