"""A person, folded from their streams."""

from typing import Any

import pytest

from events import streams
from events.credentials import KEPT_FAILURES, Disabled, Enrolled, Failures, NotEnrolled, Password
from events.facts import Counted, Fact
from events.person import KEPT_DEVICES, KEPT_LINKS, Person, evolve
from events.staff import (
    AuthenticatorProposed,
    CodeChecked,
    LoggedOut,
    LoginAttempted,
    LoginOutcome,
    PasswordLinkIssued,
    PasswordLinkKilled,
    PasswordRehashed,
    PasswordRepeated,
    PasswordResetRequired,
    PasswordSet,
    RoleChanged,
    StaffDeactivated,
    StaffDetailsChanged,
    StaffForgotten,
    StaffReactivated,
    StaffRegistered,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from tests.events import folding
from tests.events.records import later, uuid

ORGANISATION, STAFF, ADMINISTRATOR = uuid(), uuid(), uuid()
ENTRY, LINK, DEVICE = uuid(), uuid(), uuid()
SEALED, DIGEST = "s" * 32, "d" * 64

REGISTERED = StaffRegistered(
    username_digest=DIGEST, data_key=uuid(), details=SEALED, role="administrator"
)
PASSWORD = PasswordSet(credential=ENTRY, choice="no_thanks", origin="link", link=LINK)
ENROLLED = TwoFactorEnrolled(authenticator=ENTRY, method="totp", time_step=100)
REHASHED = PasswordRehashed(credential=LINK)
REPEATED = PasswordRepeated(change=LINK, source=SEALED)
DISABLED = TwoFactorDisabled(cause="administrator", reason=SEALED)
RESET = PasswordResetRequired(reason=SEALED)
DEACTIVATED, REACTIVATED = StaffDeactivated(reason=SEALED), StaffReactivated(reason=SEALED)


def login(outcome: LoginOutcome, **fields: Any) -> LoginAttempted:
    return LoginAttempted(outcome=outcome, source=SEALED, **fields)


def code(purpose: str, outcome: str, **fields: Any) -> CodeChecked:
    return CodeChecked.model_validate(
        {"purpose": purpose, "outcome": outcome, "source": SEALED, **fields}
    )


def link(cause: str = "asked_for", link_id: str = LINK) -> PasswordLinkIssued:
    return PasswordLinkIssued.model_validate(
        {"link": link_id, "ticket_digest": DIGEST, "cause": cause, "expires": later(1800)}
    )


def person(*facts: Fact) -> Person:
    """Somebody who was registered at 0, and *facts* at 1, 2, 3, …"""
    account = streams.account(ORGANISATION, STAFF)
    events: list[Counted] = [
        folding.counted(account, fact, at, actor=f"staff/{ADMINISTRATOR}")
        for at, fact in enumerate([REGISTERED, *facts])
    ]
    folded = folding.fold(evolve, None, *events)
    assert folded is not None
    return folded


class TestRegistration:
    def test_somebody_begins_without_credentials(self) -> None:
        somebody = person()
        assert (somebody.staff_id, somebody.organisation_id) == (STAFF, ORGANISATION)
        assert somebody.registered == later(0)
        assert (somebody.active, somebody.password, somebody.enrolled) == (True, None, False)
        assert (somebody.forgotten, somebody.reset_required) == (False, False)
        assert (somebody.credential_version, somebody.last_time_step) == (0, -1)

    @pytest.mark.parametrize("fact", [PASSWORD, ENROLLED, login("succeeded"), link()])
    def test_what_comes_before_it_makes_nobody(self, fact: Fact) -> None:
        stream = streams.account(ORGANISATION, STAFF)
        assert evolve(None, folding.counted(stream, fact)) is None

    @pytest.mark.parametrize("factor", [[], [ENROLLED], [ENROLLED, DISABLED]], ids=len)
    def test_a_fold_survives_being_stored(self, factor: list[Fact]) -> None:
        somebody = person(
            PASSWORD, *factor, link(), login("wrong_code", device=DEVICE),
            AuthenticatorProposed(change=uuid(), candidate=uuid()),
        )  # fmt: skip
        assert Person.model_validate_json(somebody.model_dump_json()) == somebody


class TestDetails:
    def test_details_and_role_move_no_credential(self) -> None:
        details = StaffDetailsChanged(
            username_digest="e" * 64, details="t" * 32, changed=["username"]
        )
        somebody = person(details, RoleChanged(role="staff", reason=SEALED))
        assert (somebody.username_digest, somebody.details) == ("e" * 64, "t" * 32)
        assert (somebody.role, somebody.role_since) == ("staff", later(2))
        assert somebody.credential_version == 0

    def test_a_new_address_spends_the_link_that_went_to_the_old_one(self) -> None:
        def changed(*what: str) -> StaffDetailsChanged:
            members = {"username_digest": DIGEST, "details": SEALED, "changed": list(what)}
            return StaffDetailsChanged.model_validate(members)

        moved, renamed = person(link(), changed("email")), person(link(), changed("display_name"))
        assert moved.link is not None
        assert moved.link.spent
        assert renamed.link is not None
        assert not renamed.link.spent


class TestCredentials:
    @pytest.mark.parametrize(
        "fact",
        [PASSWORD, ENROLLED, DISABLED, RESET, DEACTIVATED, REACTIVATED, StaffForgotten()],
        ids=lambda fact: fact.wire_name,
    )
    def test_every_change_moves_the_version_and_spends_the_link(self, fact: Fact) -> None:
        somebody = person(link(), fact)
        assert somebody.credential_version == 1
        assert somebody.link is not None
        assert somebody.link.spent

    @pytest.mark.parametrize(
        "fact", [PASSWORD, ENROLLED, DISABLED, RESET], ids=lambda fact: fact.wire_name
    )
    def test_what_was_proved_before_is_no_proof_of_what_is_in_force(self, fact: Fact) -> None:
        proved = person(ENROLLED, login("succeeded", time_step=101))
        assert proved.verified is not None
        assert person(ENROLLED, login("succeeded", time_step=101), fact).verified is None

    @pytest.mark.parametrize(
        "fact",
        [login("succeeded", time_step=101), login("wrong_password"), login("wrong_code"),
         code("link", "accepted", time_step=101, link=LINK), link(),
         AuthenticatorProposed(change=uuid(), candidate=uuid()), LoggedOut(staff_id=STAFF),
         REHASHED, REPEATED],
        ids=lambda fact: fact.wire_name,
    )  # fmt: skip
    def test_nothing_else_moves_it(self, fact: Fact) -> None:
        assert person(fact).credential_version == 0

    def test_a_password_ends_the_row_of_wrong_ones_and_a_required_reset(self) -> None:
        somebody = person(login("wrong_password"), RESET, PASSWORD)
        assert somebody.password == Password(credential=ENTRY, since=later(3))
        assert not somebody.reset_required
        assert somebody.wrong_passwords == Failures(in_a_row=0, recent=(later(1),))

    def test_hashed_again_it_is_the_same_password(self) -> None:
        before = person(link(), PASSWORD, login("wrong_password"))
        after = person(link(), PASSWORD, login("wrong_password"), REHASHED)
        assert after.password == Password(credential=LINK, since=later(2))
        assert after.model_copy(update={"password": before.password}) == before

    def test_no_password_comes_of_hashing_again(self) -> None:
        assert person(PASSWORD, REACTIVATED, REHASHED).password is None

    def test_a_password_leaves_the_authenticator_alone(self) -> None:
        assert person(ENROLLED, PASSWORD).enrolled

    def test_a_required_reset_stays_until_a_new_password(self) -> None:
        assert person(PASSWORD, RESET, login("reset_required")).reset_required

    def test_enrolling_burns_the_step_of_its_own_code(self) -> None:
        somebody = person(ENROLLED)
        assert somebody.second_factor == Enrolled(
            authenticator=ENTRY, method="totp", since=later(1)
        )
        assert somebody.last_time_step == 100

    def test_the_last_used_step_never_goes_back(self) -> None:
        earlier = ENROLLED.model_copy(update={"time_step": 50})
        assert person(ENROLLED, DISABLED, earlier).last_time_step == 100
        assert person(ENROLLED, login("succeeded", time_step=99)).last_time_step == 100

    def test_another_authenticator_begins_without_wrong_codes(self) -> None:
        somebody = person(ENROLLED, login("wrong_code"), code("link", "wrong_code"), ENROLLED)
        assert somebody.wrong_codes == somebody.wrong_link_codes == Failures()

    def test_disabling_lifts_the_suspension(self) -> None:
        somebody = person(ENROLLED, login("wrong_code"), code("link", "wrong_code"), DISABLED)
        assert somebody.second_factor == Disabled(
            cause="administrator", since=later(4), by=f"staff/{ADMINISTRATOR}"
        )
        assert somebody.wrong_codes == somebody.wrong_link_codes == Failures()

    def test_deactivating_leaves_the_credentials_for_whoever_asks_what_they_were(self) -> None:
        somebody = person(PASSWORD, ENROLLED, DEACTIVATED)
        assert (somebody.active, somebody.forgotten) == (False, False)
        assert (somebody.password is not None, somebody.enrolled) == (True, True)

    def test_reactivating_begins_without_wrong_codes_and_a_required_reset(self) -> None:
        wrong = [login("wrong_code"), code("link", "wrong_code")]
        somebody = person(PASSWORD, ENROLLED, RESET, *wrong, DEACTIVATED, REACTIVATED)
        assert somebody.wrong_codes == somebody.wrong_link_codes == Failures()
        assert not somebody.reset_required

    def test_reactivating_brings_no_credential_back(self) -> None:
        somebody = person(PASSWORD, ENROLLED, DEACTIVATED, REACTIVATED)
        assert somebody.active
        assert somebody.password is None
        assert isinstance(somebody.second_factor, Disabled)

    def test_reactivating_somebody_without_2fa_invents_none(self) -> None:
        assert person(DEACTIVATED, REACTIVATED).second_factor == NotEnrolled()

    def test_forgetting_leaves_nothing_to_log_in_with(self) -> None:
        somebody = person(PASSWORD, ENROLLED, StaffForgotten())
        assert (somebody.active, somebody.forgotten) == (False, True)
        assert (somebody.password, somebody.enrolled) == (None, False)


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
