"""Facts about an organisation; its policy, folded."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints

from events.facts import Counted, Fact, State
from events.moments import Moment
from events.streams import organisation_of

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class OrganisationRegistered(Fact):
    wire_name: ClassVar[str] = "twofold.organisation_registered.v1"
    name: Name


class TwoFactorPolicyChanged(Fact):
    """
    Two-factor authentication is mandatory, or optional, for everyone in the organisation.

    Attributes:
        mandatory: False is the default that every organisation begins with.
        effective: When it becomes mandatory; None: at once. Until then it counts as optional.
        reason: Why, in support's words.
    """

    wire_name: ClassVar[str] = "twofold.two_factor_policy_changed.v1"
    mandatory: bool
    reason: Reason
    effective: Moment | None = None


class PasswordExpiryChanged(Fact):
    """
    How old a password may grow.

    Attributes:
        max_age_days: Days; None: passwords don't expire, which is the default.
        reason: Why, in support's words.
    """

    wire_name: ClassVar[str] = "twofold.password_expiry_changed.v2"
    reason: Reason
    max_age_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class PasswordExpiryChangedV1(Fact):
    """The first shape, in which 0 stood for "off" and no reason was asked for."""

    wire_name: ClassVar[str] = "twofold.password_expiry_changed.v1"
    max_age_days: Annotated[int, Field(ge=0, le=3650)]


def upcast_password_expiry(old: PasswordExpiryChangedV1) -> PasswordExpiryChanged:
    """Version 1 to version 2."""
    return PasswordExpiryChanged(
        max_age_days=old.max_age_days or None, reason="Recorded before reasons were asked for."
    )


class Policy(State):
    """
    What holds for everyone in an organisation.

    Attributes:
        mandatory: Whether 2FA is, or will be, mandatory.
        effective: From when; None: since it was set.
        max_age_days: How old a password may grow, in days; None: any age.
        was_mandatory: Until when it last was, where that is over; sessions without 2FA that had
            ended by it don't come back.
    """

    mandatory: bool = False
    effective: Moment | None = None
    max_age_days: int | None = None
    was_mandatory: Moment | None = None

    def mandatory_at(self, now: datetime) -> bool:
        """Whether 2FA is mandatory at *now*."""
        return self.mandatory and (self.effective is None or now >= self.effective)

    def mandatory_from(self, now: datetime) -> datetime | None:
        """The moment, still ahead of *now*, at which it becomes mandatory; None if there's none."""
        ahead = self.mandatory and self.effective is not None and now < self.effective
        return self.effective if ahead else None


class Organisation(State):
    organisation_id: str
    name: str
    registered: Moment
    policy: Policy = Policy()

    def with_home(self, home: str) -> Self:
        """The same; where it is support's own, whose id *home* is, 2FA is always mandatory."""
        if self.organisation_id != home:
            return self
        policy = self.policy.model_copy(update={"mandatory": True, "effective": None})
        return self.model_copy(update={"policy": policy})


def evolve(organisation: Organisation | None, counted: Counted) -> Organisation | None:
    """The organisation after *counted*, an event of its own stream; None before registration."""
    fact = counted.fact
    if isinstance(fact, OrganisationRegistered):
        return Organisation(
            organisation_id=organisation_of(counted.stream) or "",
            name=fact.name,
            registered=counted.at,
        )
    if organisation is None:
        return None
    changes: dict[str, Any]
    match fact:
        case TwoFactorPolicyChanged():
            changes = {"mandatory": fact.mandatory, "effective": fact.effective}
            if organisation.policy.mandatory_at(counted.at):
                changes["was_mandatory"] = counted.at
        case PasswordExpiryChanged():
            changes = {"max_age_days": fact.max_age_days}
        case _:
            return organisation
    return organisation.model_copy(
        update={"policy": organisation.policy.model_copy(update=changes)}
    )
