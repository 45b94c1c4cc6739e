"""Commands about an organisation: registering it, its policy, the age of its passwords."""

from events import streams
from events.commands import RegisterOrganisation, SetPasswordExpiry, SetTwoFactorPolicy
from events.facts import Draft
from events.organisation import (
    OrganisationRegistered,
    PasswordExpiryChanged,
    Policy,
    TwoFactorPolicyChanged,
)
from services.staff.domain.errors import (
    AlreadyRegisteredError,
    AlreadySetError,
    HomeOrganisationError,
    StartWithoutMandatoryError,
)
from services.staff.domain.situation import Decision, Situation

_AT_HOME = "Support's own organisation: always mandatory."


def register_organisation(command: RegisterOrganisation, situation: Situation) -> Decision:
    """Register it; support's own begins with 2FA mandatory."""
    if situation.organisation is not None:
        raise AlreadyRegisteredError
    stream = streams.organisation(command.organisation_id)
    effects = [Draft(stream, OrganisationRegistered(name=command.organisation_name))]
    if command.organisation_id == situation.home:
        effects.append(Draft(stream, TwoFactorPolicyChanged(mandatory=True, reason=_AT_HOME)))
    return Decision(effects)


def set_two_factor_policy(command: SetTwoFactorPolicy, situation: Situation) -> Decision:
    """Make 2FA mandatory, now or from a moment on, or optional; a moment in the past is now."""
    organisation, now = situation.registered(), situation.now
    if command.effective is not None and not command.mandatory:
        raise StartWithoutMandatoryError
    ahead = command.effective if command.effective and command.effective > now else None
    if organisation.organisation_id == situation.home and (not command.mandatory or ahead):
        raise HomeOrganisationError
    if _amounts_to(organisation.policy, situation) == (command.mandatory, ahead):
        raise AlreadySetError
    changed = TwoFactorPolicyChanged(
        mandatory=command.mandatory, reason=command.reason, effective=ahead
    )
    return Decision([Draft(streams.organisation(organisation.organisation_id), changed)])


def set_password_expiry(command: SetPasswordExpiry, situation: Situation) -> Decision:
    """Let passwords grow this old at most, or any age."""
    organisation = situation.registered()
    if organisation.policy.max_age_days == command.max_age_days:
        raise AlreadySetError
    changed = PasswordExpiryChanged(max_age_days=command.max_age_days, reason=command.reason)
    return Decision([Draft(streams.organisation(organisation.organisation_id), changed)])


def _amounts_to(policy: Policy, situation: Situation) -> tuple[bool, object]:
    return policy.mandatory, policy.mandatory_from(situation.now)
