"""An organisation and its policy, folded."""

from datetime import timedelta

from events import streams
from events.facts import Fact
from events.marks import Tick
from events.organisation import (
    Organisation,
    OrganisationRegistered,
    PasswordExpiryChanged,
    Policy,
    TwoFactorPolicyChanged,
    evolve,
)
from tests.events import folding
from tests.events.records import later, uuid

ORGANISATION = uuid()
STREAM = streams.organisation(ORGANISATION)
MINUTE = timedelta(minutes=1)


def organisation(*facts: Fact) -> Organisation:
    events = [
        folding.counted(STREAM, fact, at)
        for at, fact in enumerate([OrganisationRegistered(name="Agency"), *facts])
    ]
    folded = folding.fold(evolve, None, *events)
    assert folded is not None
    return folded


def policy(*, mandatory: bool, starts: float | None = None) -> TwoFactorPolicyChanged:
    effective = None if starts is None else later(starts)
    return TwoFactorPolicyChanged(mandatory=mandatory, effective=effective, reason="Asked for.")


def test_2fa_is_optional_and_passwords_do_not_expire_by_default() -> None:
    agency = organisation()
    assert (agency.organisation_id, agency.name) == (ORGANISATION, "Agency")
    assert agency.policy == Policy()
    assert not agency.policy.mandatory_at(later(10**9))


def test_nothing_comes_before_registration() -> None:
    assert evolve(None, folding.counted(STREAM, policy(mandatory=True))) is None


def test_mandatory_at_once() -> None:
    agency = organisation(policy(mandatory=True))
    assert agency.policy.mandatory_at(later(0))
    assert agency.policy.mandatory_from(later(0)) is None


def test_until_its_start_it_counts_as_optional() -> None:
    """People are told the date on which that ends."""
    ahead = organisation(policy(mandatory=True, starts=3600)).policy
    assert not ahead.mandatory_at(later(3600) - MINUTE)
    assert ahead.mandatory_from(later(3600) - MINUTE) == later(3600)
    assert ahead.mandatory_at(later(3600))
    assert ahead.mandatory_from(later(3600)) is None


def test_the_newest_policy_holds() -> None:
    agency = organisation(policy(mandatory=True, starts=3600), policy(mandatory=False))
    assert not agency.policy.mandatory_at(later(7200))
    assert agency.policy.mandatory_from(later(0)) is None


def test_until_when_it_was_mandatory_is_remembered() -> None:
    never = organisation(policy(mandatory=True, starts=3600), policy(mandatory=False))
    assert never.policy.was_mandatory is None
    for after in (policy(mandatory=False), policy(mandatory=True, starts=3600)):
        assert organisation(policy(mandatory=True), after).policy.was_mandatory == later(2)
    again = organisation(policy(mandatory=True), policy(mandatory=False), policy(mandatory=False))
    assert again.policy.was_mandatory == later(2)


def test_nothing_else_in_its_stream_changes_it() -> None:
    agency = organisation(policy(mandatory=True))
    assert evolve(agency, folding.counted(STREAM, Tick(), 9)) == agency


def test_a_policy_that_is_off_starts_at_no_moment() -> None:
    off = organisation(policy(mandatory=False, starts=3600)).policy
    assert (off.mandatory_from(later(0)), off.mandatory_at(later(3600))) == (None, False)


def test_expiry_and_policy_leave_each_other_alone() -> None:
    expiry = PasswordExpiryChanged(max_age_days=90, reason="Asked for.")
    agency = organisation(expiry, policy(mandatory=True))
    assert (agency.policy.max_age_days, agency.policy.mandatory) == (90, True)
    off = PasswordExpiryChanged(reason="Asked for.")
    assert organisation(expiry, policy(mandatory=True), off).policy == Policy(mandatory=True)


def test_a_fold_survives_being_stored() -> None:
    agency = organisation(policy(mandatory=True, starts=3600))
    assert Organisation.model_validate_json(agency.model_dump_json()) == agency
