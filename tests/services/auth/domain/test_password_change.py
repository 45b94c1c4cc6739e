"""A new password with its choice: what is offered, what is recorded, and when it is dead."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from events.log.proposal import Draft
from events.organisation import Policy
from events.person import Person
from events.staff import (
    CodeChecked,
    PasswordLinkKilled,
    PasswordSet,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from services.auth.domain import password_change
from services.auth.domain.decision import Decision, NewLink, account, codes, links, organisation
from services.auth.domain.errors import (
    ChoiceUnavailableError,
    CodeRequiredError,
    TicketDeadError,
    WrongCodeError,
)
from tests.services.auth.domain.changes import (
    CHANGE,
    ENTRY,
    EXPIRED,
    NEW_AUTHENTICATOR,
    credentials,
    finish,
)
from tests.services.auth.domain.people import (
    LINK,
    MANDATORY,
    NOW,
    OPTIONAL,
    SEALED,
    STAFF,
    STEP,
    enrolled,
    failures,
    link,
    person,
)


class TestOptions:
    @pytest.mark.parametrize(
        ("somebody", "policy", "offered"),
        [
            (person(), OPTIONAL, ("no_thanks", "setup_new")),
            (person(), MANDATORY, ("setup_new",)),
            (enrolled(), OPTIONAL, ("no_thanks", "keep_existing", "setup_new")),
            (enrolled(), MANDATORY, ("keep_existing", "setup_new")),
        ],
    )
    def test_what_is_offered(
        self, somebody: Person, policy: Policy, offered: tuple[str, ...]
    ) -> None:
        assert password_change.options(somebody, policy, NOW) == offered

    def test_until_its_start_a_policy_counts_as_optional(self) -> None:
        starts = NOW + timedelta(seconds=1)
        policy = Policy(mandatory=True, effective=starts)
        assert "no_thanks" in password_change.options(person(), policy, NOW)
        assert "no_thanks" not in password_change.options(person(), policy, starts)


class TestAskForLink:
    NEW = NewLink(LINK, "3" * 64)

    def test_three_an_hour(self) -> None:
        asked = tuple(NOW - timedelta(minutes=m) for m in (59, 29, 28))
        assert password_change.ask_for_link(person(), self.NEW, NOW).drafts
        assert not password_change.ask_for_link(person(links_asked_for=asked), self.NEW, NOW).drafts
        later = NOW + timedelta(minutes=1)
        assert password_change.ask_for_link(person(links_asked_for=asked), self.NEW, later).drafts

    def test_it_relies_on_the_account(self) -> None:
        """Whoever is deactivated meanwhile gets none."""
        somebody = person()
        assert password_change.ask_for_link(somebody, self.NEW, NOW).basis == {account(somebody)}

    def test_nothing_happens_for_the_deactivated(self) -> None:
        assert not password_change.ask_for_link(person(active=False), self.NEW, NOW).drafts


class TestCheckLinkCode:
    @staticmethod
    def check(
        somebody: Person, code: str | None = "123456", step: int | None = None
    ) -> tuple[bool, Decision]:
        return password_change.check_link_code(somebody, code, step, SEALED, NOW)

    def test_without_2fa_it_opens_and_records_nothing(self) -> None:
        opens, decided = self.check(person(link=link()), None)
        assert (opens, decided.drafts) == (True, ())

    def test_enrolled_it_asks_for_a_code_first(self) -> None:
        with pytest.raises(CodeRequiredError):
            self.check(enrolled(link=link()), None)

    def test_a_right_code_opens_it_and_is_burned(self) -> None:
        somebody = enrolled(link=link())
        opens, decided = self.check(somebody, step=STEP)
        checked = CodeChecked(
            purpose="link", outcome="accepted", source=SEALED, time_step=STEP, link=LINK
        )
        assert (opens, decided.drafts) == (True, [Draft(codes(somebody), checked)])
        assert decided.lapses == NOW + timedelta(minutes=30)

    def test_a_used_code_does_not(self) -> None:
        opens, decided = self.check(enrolled(link=link()), step=STEP - 1)
        checked = decided.drafts[0].fact
        assert isinstance(checked, CodeChecked)
        assert (opens, checked.outcome, checked.time_step) == (False, "code_already_used", None)

    def test_the_fifth_wrong_one_kills_the_link_in_the_same_batch(self) -> None:
        somebody = enrolled(link=link(wrong_codes=4))
        opens, decided = self.check(somebody)
        killed = Draft(links(somebody), PasswordLinkKilled(link=LINK, cause="wrong_codes"))
        assert not opens
        assert decided.drafts[1:] == [killed]
        assert not self.check(enrolled(link=link(wrong_codes=3)))[1].drafts[1:]

    def test_a_right_one_after_four_wrong_ones_opens_and_kills_nothing(self) -> None:
        opens, decided = self.check(enrolled(link=link(wrong_codes=4)), step=STEP)
        assert (opens, [type(draft.fact) for draft in decided.drafts]) == (True, [CodeChecked])

    def test_a_suspended_authenticator_opens_no_link_either(self) -> None:
        opens, _ = self.check(enrolled(link=link(), wrong_codes=failures(100)), step=STEP)
        assert not opens

    @pytest.mark.parametrize(
        ("state", "step"), [({}, STEP - 1), ({"wrong_codes": failures(100)}, STEP)]
    )
    def test_a_used_one_and_a_suspended_ones_kill_it_as_well(
        self, state: dict[str, Any], step: int
    ) -> None:
        opens, decided = self.check(enrolled(link=link(wrong_codes=4), **state), step=step)
        assert (opens, type(decided.drafts[-1].fact)) == (False, PasswordLinkKilled)

    @pytest.mark.parametrize(
        "somebody",
        [
            person(),
            person(link=link(spent=True)),
            person(link=link(wrong_codes=5)),
            person(link=link(expires=NOW)),
            person(link=link(), active=False),
        ],
    )
    def test_a_dead_link_stays_dead(self, somebody: Person) -> None:
        with pytest.raises(TicketDeadError):
            self.check(somebody, step=STEP)


class TestFinishChange:
    def test_no_thanks_sets_the_password(self) -> None:
        somebody = person(link=link())
        decided = finish(somebody, credentials("no_thanks"))
        password = PasswordSet(
            credential=ENTRY, choice="no_thanks", origin="link", link=LINK, device=CHANGE.change
        )
        assert decided.drafts == [Draft(account(somebody), password)]
        assert decided.basis == {organisation(somebody), codes(somebody), links(somebody)}

    def test_only_a_link_makes_a_device_known(self) -> None:
        """Whoever logs in with an expired password isn't kept out by strangers."""
        ((draft,)) = finish(person(), credentials("no_thanks"), change=EXPIRED).drafts
        assert isinstance(draft.fact, PasswordSet)
        assert draft.fact.device is None

    def test_no_thanks_while_enrolled_turns_it_off(self) -> None:
        decided = finish(enrolled(link=link()), credentials("no_thanks"))
        assert decided.drafts[1].fact == TwoFactorDisabled(cause="declined")

    def test_keeping_changes_nothing_about_the_authenticator(self) -> None:
        decided = finish(enrolled(link=link()), credentials("keep_existing"))
        assert [type(draft.fact) for draft in decided.drafts] == [PasswordSet]

    def test_setting_up_enrols_with_the_password_and_burns_the_code(self) -> None:
        decided = finish(person(link=link(), proposed=(LINK, STAFF)), NEW_AUTHENTICATOR)
        enrolment = TwoFactorEnrolled(authenticator=ENTRY, method="totp", time_step=STEP)
        assert decided.drafts[1].fact == enrolment

    def test_setting_up_relies_on_what_was_shown_however_it_was_opened(self) -> None:
        """Another authenticator that is shown meanwhile stands among the links."""
        somebody = person(proposed=(LINK, STAFF))
        assert links(somebody) in finish(somebody, NEW_AUTHENTICATOR, change=EXPIRED).basis
        without = finish(somebody, credentials("no_thanks"), change=EXPIRED)
        assert without.basis == {organisation(somebody), codes(somebody)}

    def test_a_new_secrets_code_may_be_of_a_step_that_the_old_ones_had(self) -> None:
        """Whoever scans quickly has given both codes within the same 30 seconds."""
        somebody = enrolled(link=link(), proposed=(LINK, STAFF), last_time_step=STEP)
        assert finish(somebody, NEW_AUTHENTICATOR).drafts[1:]

    def test_nothing_is_set_once_the_authenticator_shown_is_gone(self) -> None:
        somebody = person(link=link(), proposed=(LINK, STAFF))
        with pytest.raises(TicketDeadError):
            finish(somebody, replace(NEW_AUTHENTICATOR, authenticator=None))

    def test_a_wrong_first_code_sets_nothing(self) -> None:
        with pytest.raises(WrongCodeError):
            finish(
                person(link=link(), proposed=(LINK, STAFF)),
                replace(NEW_AUTHENTICATOR, time_step=None),
            )

    @pytest.mark.parametrize("proposed", [None, (STAFF, STAFF), (LINK, LINK)])
    def test_only_the_newest_authenticator_shown_can_be_confirmed(
        self, proposed: tuple[str, str] | None
    ) -> None:
        with pytest.raises(TicketDeadError):
            finish(person(link=link(), proposed=proposed), NEW_AUTHENTICATOR)

    @pytest.mark.parametrize(
        ("somebody", "policy", "choice"),
        [
            (person(link=link()), OPTIONAL, "keep_existing"),
            (person(link=link()), MANDATORY, "no_thanks"),
            (person(link=link()), MANDATORY, "keep_existing"),
            (enrolled(link=link()), MANDATORY, "no_thanks"),
        ],
    )
    def test_what_is_not_offered_is_refused_with_what_is(
        self, somebody: Person, policy: Policy, choice: str
    ) -> None:
        with pytest.raises(ChoiceUnavailableError) as refused:
            finish(somebody, credentials(choice), policy)
        assert refused.value.options == password_change.options(somebody, policy, NOW)

    @pytest.mark.parametrize(
        "somebody",
        [
            person(link=link(), credential_version=1),
            person(link=link(), active=False),
            person(link=link(spent=True)),
            person(link=link(id=STAFF)),
            person(link=link(wrong_codes=5)),
            person(),
        ],
    )
    def test_it_is_dead_once_anything_moved(self, somebody: Person) -> None:
        with pytest.raises(TicketDeadError):
            finish(somebody, credentials("no_thanks"))

    def test_what_was_opened_by_a_login_is_dead_for_the_deactivated(self) -> None:
        with pytest.raises(TicketDeadError):
            finish(person(active=False), credentials("no_thanks"), change=EXPIRED)

    def test_it_is_dead_after_its_time(self) -> None:
        late = replace(EXPIRED, expires=NOW)
        with pytest.raises(TicketDeadError):
            finish(person(), credentials("no_thanks"), change=late)
        assert finish(person(), credentials("no_thanks"), change=EXPIRED).drafts

    def test_no_thanks_does_not_outlive_the_policys_start(self) -> None:
        starts = NOW + timedelta(seconds=4)
        policy = Policy(mandatory=True, effective=starts)
        somebody = enrolled(link=link())
        assert finish(somebody, credentials("no_thanks"), policy).lapses == starts
        kept = finish(somebody, credentials("keep_existing"), policy)
        assert kept.lapses == CHANGE.expires

    def test_what_a_password_alone_opened_does_not_outlive_it_either(self) -> None:
        somebody = person(proposed=(LINK, STAFF))
        starts = NOW + timedelta(seconds=4)
        policy = Policy(mandatory=True, effective=starts)
        assert finish(somebody, NEW_AUTHENTICATOR, policy, EXPIRED).lapses == starts
        with pytest.raises(TicketDeadError):
            finish(somebody, NEW_AUTHENTICATOR, MANDATORY, EXPIRED)
        kept = finish(enrolled(), credentials("keep_existing"), MANDATORY, EXPIRED)
        assert kept.lapses == EXPIRED.expires
        linked = person(link=link(), proposed=(LINK, STAFF))
        assert finish(linked, NEW_AUTHENTICATOR, MANDATORY).drafts
        assert finish(linked, NEW_AUTHENTICATOR, policy).lapses == CHANGE.expires
        both = finish(enrolled(), credentials("keep_existing"), policy, EXPIRED)
        assert both.lapses == EXPIRED.expires
