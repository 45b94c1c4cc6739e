"""A person, folded from their streams."""

import pytest

from events import streams
from events.credentials import Disabled, Enrolled, Failures, NotEnrolled, Password
from events.facts import Fact
from events.person import Person, evolve
from events.staff import (
    AuthenticatorProposed,
    LoggedOut,
    RoleChanged,
    StaffDetailsChanged,
    StaffForgotten,
)
from tests.events import folding
from tests.events.people import (
    ADMINISTRATOR,
    DEACTIVATED,
    DEVICE,
    DIGEST,
    DISABLED,
    ENROLLED,
    ENTRY,
    LINK,
    ORGANISATION,
    PASSWORD,
    REACTIVATED,
    REHASHED,
    REPEATED,
    RESET,
    SEALED,
    STAFF,
    code,
    link,
    login,
    person,
)
from tests.events.records import later, uuid


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
