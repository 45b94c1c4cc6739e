"""Commands about an organisation."""

from datetime import datetime, timedelta

import pytest

from events import streams
from events.commands import RegisterOrganisation, SetPasswordExpiry, SetTwoFactorPolicy
from events.facts import Fact
from events.organisation import (
    OrganisationRegistered,
    PasswordExpiryChanged,
    Policy,
    TwoFactorPolicyChanged,
)
from services.staff.domain import errors
from services.staff.domain.organisation_commands import (
    register_organisation,
    set_password_expiry,
    set_two_factor_policy,
)
from services.staff.domain.situation import Decision
from tests.services.staff.people import ACME, HOME, NOW, organisation, situation

LATER = NOW + timedelta(days=7)


def facts(decision: Decision, organisation_id: str = ACME) -> list[Fact]:
    assert {draft.stream for draft in decision.effects} == {streams.organisation(organisation_id)}
    return [draft.fact for draft in decision.effects]


def registration(organisation_id: str, name: str) -> RegisterOrganisation:
    return RegisterOrganisation.model_validate({"organisation_id": organisation_id, "name": name})


class TestRegisterOrganisation:
    def test_registers_it(self) -> None:
        command = registration(ACME, "Acme")
        decision = register_organisation(command, situation(unregistered=True))
        assert facts(decision) == [OrganisationRegistered(name="Acme")]

    def test_makes_two_factors_mandatory_in_supports_own(self) -> None:
        command = registration(HOME, "Support")
        registered, policy = facts(
            register_organisation(command, situation(unregistered=True)), HOME
        )
        assert registered == OrganisationRegistered(name="Support")
        assert isinstance(policy, TwoFactorPolicyChanged)
        assert policy.mandatory
        assert policy.effective is None

    def test_refuses_one_that_is_registered(self) -> None:
        command = registration(ACME, "Acme")
        with pytest.raises(errors.AlreadyRegisteredError):
            register_organisation(command, situation())


def policy_command(
    *, mandatory: bool, effective: datetime | None = None, organisation_id: str = ACME
) -> SetTwoFactorPolicy:
    fields = {"organisation_id": organisation_id, "mandatory": mandatory, "reason": "r"}
    return SetTwoFactorPolicy.model_validate(fields | ({"from": effective} if effective else {}))


class TestSetTwoFactorPolicy:
    def test_makes_it_mandatory_at_once(self) -> None:
        decision = set_two_factor_policy(policy_command(mandatory=True), situation())
        assert facts(decision) == [TwoFactorPolicyChanged(mandatory=True, reason="r")]

    def test_makes_it_mandatory_from_a_moment_on(self) -> None:
        decision = set_two_factor_policy(
            policy_command(mandatory=True, effective=LATER), situation()
        )
        assert facts(decision) == [
            TwoFactorPolicyChanged(mandatory=True, reason="r", effective=LATER)
        ]

    def test_takes_a_moment_in_the_past_for_now(self) -> None:
        decision = set_two_factor_policy(policy_command(mandatory=True, effective=NOW), situation())
        assert facts(decision) == [TwoFactorPolicyChanged(mandatory=True, reason="r")]

    def test_makes_it_optional(self) -> None:
        where = organisation(policy=Policy(mandatory=True))
        decision = set_two_factor_policy(policy_command(mandatory=False), situation(where=where))
        assert facts(decision) == [TwoFactorPolicyChanged(mandatory=False, reason="r")]

    def test_refuses_a_start_for_what_is_optional(self) -> None:
        with pytest.raises(errors.StartWithoutMandatoryError):
            set_two_factor_policy(policy_command(mandatory=False, effective=LATER), situation())

    @pytest.mark.parametrize(
        ("policy", "command"),
        [
            (Policy(), policy_command(mandatory=False)),
            (Policy(mandatory=True), policy_command(mandatory=True)),
            (Policy(mandatory=True, effective=NOW), policy_command(mandatory=True)),
            (
                Policy(mandatory=True, effective=LATER),
                policy_command(mandatory=True, effective=LATER),
            ),
        ],
    )
    def test_refuses_what_is_so_already(self, policy: Policy, command: SetTwoFactorPolicy) -> None:
        with pytest.raises(errors.AlreadySetError):
            set_two_factor_policy(command, situation(where=organisation(policy=policy)))

    def test_brings_a_start_forward(self) -> None:
        where = organisation(policy=Policy(mandatory=True, effective=LATER))
        decision = set_two_factor_policy(policy_command(mandatory=True), situation(where=where))
        assert facts(decision) == [TwoFactorPolicyChanged(mandatory=True, reason="r")]

    def test_leaves_supports_own_mandatory_at_every_moment(self) -> None:
        where = organisation(HOME, Policy(mandatory=True))
        for command in (
            policy_command(mandatory=False, organisation_id=HOME),
            policy_command(mandatory=True, effective=LATER, organisation_id=HOME),
        ):
            with pytest.raises(errors.HomeOrganisationError):
                set_two_factor_policy(command, situation(where=where))

    def test_makes_it_mandatory_in_supports_own_that_was_registered_as_another(self) -> None:
        decision = set_two_factor_policy(
            policy_command(mandatory=True, organisation_id=HOME),
            situation(where=organisation(HOME)),
        )
        assert facts(decision, HOME) == [TwoFactorPolicyChanged(mandatory=True, reason="r")]

    def test_refuses_an_unknown_organisation(self) -> None:
        with pytest.raises(errors.UnknownOrganisationError):
            set_two_factor_policy(policy_command(mandatory=True), situation(unregistered=True))


class TestSetPasswordExpiry:
    @pytest.mark.parametrize(("before", "after"), [(None, 90), (90, None), (90, 30)])
    def test_sets_it(self, before: int | None, after: int | None) -> None:
        command = SetPasswordExpiry(organisation_id=ACME, max_age_days=after, reason="r")
        where = organisation(policy=Policy(max_age_days=before))
        decision = set_password_expiry(command, situation(where=where))
        assert facts(decision) == [PasswordExpiryChanged(max_age_days=after, reason="r")]

    def test_refuses_what_is_so_already(self) -> None:
        command = SetPasswordExpiry(organisation_id=ACME, max_age_days=None, reason="r")
        with pytest.raises(errors.AlreadySetError):
            set_password_expiry(command, situation())
