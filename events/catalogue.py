"""Permanent wire names and their classes; the step from each old version to the next."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from events import marks, organisation, staff, username
from events.facts import Fact


class UnknownTypeError(LookupError):
    """A type or version that this reader doesn't know; a newer writer is running."""


class IllFittingDataError(ValueError):
    """The data doesn't fit its type's model."""


_CURRENT: tuple[type[Fact], ...] = (
    organisation.OrganisationRegistered,
    organisation.TwoFactorPolicyChanged,
    organisation.PasswordExpiryChanged,
    staff.StaffRegistered,
    staff.StaffDetailsChanged,
    staff.RoleChanged,
    staff.PasswordSet,
    staff.PasswordRehashed,
    staff.TwoFactorEnrolled,
    staff.TwoFactorDisabled,
    staff.PasswordResetRequired,
    staff.StaffDeactivated,
    staff.StaffReactivated,
    staff.StaffForgotten,
    staff.LoginAttempted,
    staff.CodeChecked,
    staff.PasswordRepeated,
    staff.PasswordLinkIssued,
    staff.PasswordLinkKilled,
    staff.AuthenticatorProposed,
    staff.LoggedOut,
    marks.CommandAccepted,
    marks.CommandRejected,
    username.UsernameClaimed,
    username.UsernameReleased,
    marks.Genesis,
    marks.Tick,
    marks.OlderKeysRetired,
)

_UPCASTS: Mapping[type[Fact], Callable[[Any], Fact]] = {
    organisation.PasswordExpiryChangedV1: organisation.upcast_password_expiry,
    staff.PasswordSetV1: staff.upcast_password_set,
    staff.CodeCheckedV1: staff.upcast_code_checked,
}

TYPES: Mapping[str, type[Fact]] = {fact.wire_name: fact for fact in (*_CURRENT, *_UPCASTS)}
"""Every wire name that was ever written."""


def read(wire_name: str, data: Mapping[str, Any]) -> Fact:
    """
    The fact at its current version; upcasting comes after the digest is taken.

    Args:
        wire_name: The envelope's ``type``.
        data: The envelope's ``data``.

    Raises:
        UnknownTypeError: No such type or version.
        IllFittingDataError: *data* doesn't fit the model frozen under that name.
    """
    model = TYPES.get(wire_name)
    if model is None:
        raise UnknownTypeError(wire_name)
    try:
        fact = model.model_validate(data)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
        raise IllFittingDataError(f"{wire_name}: {fields}") from None
    while upcast := _UPCASTS.get(type(fact)):
        fact = upcast(fact)
    return fact
