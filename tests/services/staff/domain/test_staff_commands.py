"""Commands about a person."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from events import streams
from events.commands import ChangeRole, RegisterStaff
from events.facts import Draft
from events.person import Person
from events.staff import (
    PasswordLinkIssued,
    PasswordResetRequired,
    Role,
    RoleChanged,
    StaffDeactivated,
    StaffDetailsChanged,
    StaffForgotten,
    StaffReactivated,
    StaffRegistered,
    TwoFactorDisabled,
)
from services.staff.domain import errors, staff_commands
from services.staff.domain.rights import Sender
from services.staff.domain.situation import Decision, Situation
from services.staff.domain.staff_commands import NewDetails, NewLink, NewPerson
from tests.services.staff.people import (
    ACME,
    NOW,
    OPERATOR,
    SEALED,
    acting,
    person,
    serving,
    situation,
    uuid,
)

LINK = NewLink(uuid(), "d" * 64)
DIGEST = "a" * 64
REGISTER = RegisterStaff(
    organisation_id=ACME,
    staff_id=uuid(),
    username="sam",
    email="sam@acme.example",
    display_name="Sam",
    role="staff",
)
NEW = NewPerson(DIGEST, NOW + timedelta(seconds=20), uuid(), SEALED)


def account(one: Person) -> str:
    return streams.account(one.organisation_id, one.staff_id)


def role(one: Person, role: Role) -> ChangeRole:
    return ChangeRole(
        organisation_id=one.organisation_id, staff_id=one.staff_id, role=role, reason="r"
    )


class TestRegisterStaff:
    def test_registers_and_invites_while_the_claim_holds(self) -> None:
        decision = staff_commands.register_staff(REGISTER, situation(), NEW, LINK)
        assert decision.effects == [
            Draft(
                streams.account(ACME, REGISTER.staff_id),
                StaffRegistered(
                    username_digest=DIGEST, data_key=NEW.data_key, details=SEALED, role="staff"
                ),
            ),
            Draft(
                streams.links(ACME, REGISTER.staff_id),
                PasswordLinkIssued(
                    link=LINK.link,
                    ticket_digest=LINK.ticket_digest,
                    cause="invited",
                    expires=NOW + timedelta(minutes=30),
                ),
            ),
        ]
        assert decision.basis == {streams.organisation(ACME)}
        assert decision.lapses == NEW.claimed_until

    @pytest.mark.parametrize(
        ("now", "error"),
        [
            (situation(person()), errors.AlreadyRegisteredError),
            (situation(unregistered=True), errors.UnknownOrganisationError),
        ],
        ids=["an id that is registered", "an unknown organisation"],
    )
    def test_refuses_before_a_username_is_claimed_and_after(
        self, now: Situation, error: type[errors.RefusedError]
    ) -> None:
        with pytest.raises(error):
            staff_commands.may_register(now)
        with pytest.raises(error):
            staff_commands.register_staff(REGISTER, now, NEW, LINK)


class TestChangeStaffDetails:
    def test_keeps_the_old_address_so_that_it_can_be_told(self) -> None:
        one = person()
        new = NewDetails(one.username_digest, None, SEALED, ("email",), SEALED)
        decision = staff_commands.change_staff_details(situation(one), new)
        fact = StaffDetailsChanged(
            username_digest=one.username_digest,
            details=SEALED,
            changed=["email"],
            old_email=SEALED,
        )
        assert decision == Decision([Draft(account(one), fact)])

    def test_counts_only_while_a_new_username_is_kept(self) -> None:
        new = NewDetails(DIGEST, NOW + timedelta(seconds=20), SEALED, ("username",), None)
        decision = staff_commands.change_staff_details(situation(person()), new)
        assert decision.lapses == new.claimed_until

    def test_refuses_what_changes_nothing(self) -> None:
        with pytest.raises(errors.NothingChangesError):
            staff_commands.change_staff_details(
                situation(person()), NewDetails(DIGEST, None, SEALED, (), None)
            )


class TestChangeRole:
    def test_makes_somebody_an_administrator(self) -> None:
        one = person("staff")
        decision = staff_commands.change_role(role(one, "administrator"), situation(one), SEALED)
        assert decision == Decision(
            [Draft(account(one), RoleChanged(role="administrator", reason=SEALED))]
        )

    def test_refuses_the_role_that_they_have(self) -> None:
        one = person("staff")
        with pytest.raises(errors.AlreadySetError):
            staff_commands.change_role(role(one, "staff"), situation(one), SEALED)


class TestDisableTwoFactor:
    def test_disables_it(self) -> None:
        one = person(enrolled=True)
        decision = staff_commands.disable_two_factor(situation(one), SEALED)
        disabled = TwoFactorDisabled(cause="administrator", reason=SEALED)
        assert decision == Decision([Draft(account(one), disabled)])

    def test_refuses_where_there_is_nothing_to_disable(self) -> None:
        with pytest.raises(errors.NotEnrolledError):
            staff_commands.disable_two_factor(situation(person()), SEALED)


class TestRequirePasswordReset:
    def test_requires_it_and_issues_a_link(self) -> None:
        one = person()
        decision = staff_commands.require_password_reset(situation(one), SEALED, LINK)
        required, issued = decision.effects
        assert required == Draft(account(one), PasswordResetRequired(reason=SEALED))
        assert isinstance(issued.fact, PasswordLinkIssued)
        assert issued.fact.cause == "required"
        assert issued.stream == streams.links(ACME, one.staff_id)

    def test_refuses_for_somebody_who_is_deactivated(self) -> None:
        with pytest.raises(errors.DeactivatedError):
            staff_commands.require_password_reset(situation(person(active=False)), SEALED, LINK)


class TestActivation:
    def test_deactivates_and_reactivates(self) -> None:
        one, other = person(), person(active=False)
        gone = staff_commands.deactivate_staff(situation(one), SEALED)
        assert gone == Decision([Draft(account(one), StaffDeactivated(reason=SEALED))])
        back = staff_commands.reactivate_staff(situation(other), SEALED)
        assert back == Decision([Draft(account(other), StaffReactivated(reason=SEALED))])

    def test_refuses_what_is_so_already(self) -> None:
        with pytest.raises(errors.AlreadyDeactivatedError):
            staff_commands.deactivate_staff(situation(person(active=False)), SEALED)
        with pytest.raises(errors.AlreadyActiveError):
            staff_commands.reactivate_staff(situation(person()), SEALED)


@pytest.mark.parametrize("one", [person(), person("administrator", active=False)])
def test_forgets_somebody_who_is_there_or_was_the_last_to_administer(one: Person) -> None:
    decision = staff_commands.forget_staff(situation(one))
    assert decision == Decision([Draft(account(one), StaffForgotten())])


@pytest.mark.parametrize("sender", [acting(person("support", enrolled=True)), serving(OPERATOR)])
def test_support_and_the_operators_key_look_after_support(sender: Sender) -> None:
    one = person("support", enrolled=True)
    assert staff_commands.disable_two_factor(situation(one, sender=sender), SEALED).effects


REMOVALS: list[Callable[[Situation, Person], Decision]] = [
    lambda s, one: staff_commands.change_role(role(one, "staff"), s, SEALED),
    lambda s, _: staff_commands.deactivate_staff(s, SEALED),
    lambda s, _: staff_commands.forget_staff(s),
]


@pytest.mark.parametrize("remove", REMOVALS)
class TestTheLastAdministrator:
    def test_stays(self, remove: Callable[[Situation, Person], Decision]) -> None:
        ada = person("administrator", enrolled=True)
        with pytest.raises(errors.LastAdministratorError):
            remove(situation(ada), ada)

    def test_is_not_the_last_where_another_is_relied_on(
        self, remove: Callable[[Situation, Person], Decision]
    ) -> None:
        ada, other = person("administrator"), uuid()
        decision = remove(situation(ada, administrators=(other,)), ada)
        assert decision.basis == {streams.account(ACME, other)}

    def test_the_one_who_acts_is_relied_on_rather_than_a_third(
        self, remove: Callable[[Situation, Person], Decision]
    ) -> None:
        ada, bob = person("administrator"), person("administrator", enrolled=True)
        there = situation(ada, sender=acting(bob), administrators=(uuid(), bob.staff_id))
        assert remove(there, ada).basis == {account(bob)}


ABOUT_SOMEBODY: list[Callable[[Situation], Decision]] = [
    lambda s: staff_commands.change_staff_details(
        s, NewDetails(DIGEST, None, SEALED, ("email",), None)
    ),
    lambda s: staff_commands.change_role(role(person(), "administrator"), s, SEALED),
    lambda s: staff_commands.disable_two_factor(s, SEALED),
    lambda s: staff_commands.require_password_reset(s, SEALED, LINK),
    lambda s: staff_commands.deactivate_staff(s, SEALED),
    lambda s: staff_commands.reactivate_staff(s, SEALED),
    staff_commands.forget_staff,
]


@pytest.mark.parametrize("decide", ABOUT_SOMEBODY)
class TestEveryCommandAboutSomebody:
    def test_refuses_an_unknown_organisation(self, decide: Callable[[Situation], Decision]) -> None:
        with pytest.raises(errors.UnknownOrganisationError):
            decide(situation(unregistered=True))

    def test_refuses_somebody_unknown(self, decide: Callable[[Situation], Decision]) -> None:
        with pytest.raises(errors.UnknownStaffError):
            decide(situation())

    def test_refuses_somebody_forgotten(self, decide: Callable[[Situation], Decision]) -> None:
        with pytest.raises(errors.ForgottenError):
            decide(situation(person(enrolled=True, forgotten=True)))

    def test_refuses_support_to_an_administrator(
        self, decide: Callable[[Situation], Decision]
    ) -> None:
        ada = person("administrator", enrolled=True)
        with pytest.raises(errors.NotPermittedError):
            decide(situation(person("support", enrolled=True), sender=acting(ada)))

    def test_refuses_support_to_a_key_that_cannot_make_it(
        self, decide: Callable[[Situation], Decision]
    ) -> None:
        service = serving(replace(OPERATOR, key_id="hr", grants_support=False))
        with pytest.raises(errors.NotPermittedError):
            decide(situation(person("support", enrolled=True), sender=service))
