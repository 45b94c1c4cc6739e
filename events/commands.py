"""Admin commands: what can be asked for, and the shape of what it takes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from events.facts import Uuid
from events.moments import from_milliseconds, to_milliseconds
from events.staff import Role

SHAPE = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
"""
No controls, and nothing that turns or breaks what stands behind it: such text is shown to whoever
decides about people, and in terminals. Scripts that run right to left need none of it.
"""


def _as_the_log_keeps_it(moment: datetime) -> datetime:
    try:
        return from_milliseconds(to_milliseconds(moment.astimezone(UTC)))
    except OverflowError:
        raise ValueError("no such moment in UTC") from None


Aware = Annotated[AwareDatetime, AfterValidator(_as_the_log_keeps_it)]
"""
A moment with its offset, read into UTC and whole milliseconds, rounded down: what is finer would
differ from itself once it was stored. Near the first and last year there may be none.
"""


def text(shortest: int, longest: int) -> StringConstraints:
    return StringConstraints(min_length=shortest, max_length=longest, pattern=_PRINTABLE)


Reason = Annotated[str, text(1, 500)]
_UNSEEN_BUT_SPACES: Final = (
    r"\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff0-\ufffb"
    # Beyond \uffff there is no escape that both JSON Schema and our reader know.
    f"{chr(0x1BCA0)}-{chr(0x1BCA3)}{chr(0x1D173)}-{chr(0x1D17A)}{chr(0xE0000)}-{chr(0xE0FFF)}"
)
_UNSEEN: Final = rf"\x20{_UNSEEN_BUT_SPACES}"
"""
White space, controls, what turns or hides text, and what shows nothing at all: Unicode's
`Default_Ignorable_Code_Point` and two blanks that are letters or symbols to it.
"""
_USERNAME: Final = rf"^[^{_UNSEEN}]([^{_UNSEEN_BUT_SPACES}]*[^{_UNSEEN}])?$"
"""Two that look alike aren't two by what isn't seen; and what isn't typed, nobody can log in by."""
Username = Annotated[str, StringConstraints(max_length=128, pattern=_USERNAME)]
_ATOM: Final = rf'[^{_UNSEEN}.()<>@,;:?"\\\[\]]+'
_ADDRESS: Final = rf"^{_ATOM}(\.{_ATOM})*@{_ATOM}(\.{_ATOM})*$"
"""
RFC 5322's dot-atom on both sides, in any script (RFC 6531). No quotes, comments, groups, literals,
nor the question marks of encoded words (RFC 2047): mail programs read those as something else.
"""
Email = Annotated[str, StringConstraints(max_length=254, pattern=_ADDRESS)]
DisplayName = Annotated[str, text(1, 200)]


class UnreadableCommandError(ValueError):
    """What came is no command; it goes to the dead letters. The sentence holds no part of it."""


class Command(BaseModel):
    """What somebody wants done in an organisation."""

    model_config = SHAPE
    name: ClassVar[str]
    organisation_id: Uuid


class RegisterOrganisation(Command):
    name: ClassVar[str] = "register_organisation"
    organisation_name: Annotated[str, text(1, 200), Field(alias="name")]


class RegisterStaff(Command):
    name: ClassVar[str] = "register_staff"
    staff_id: Uuid
    username: Username
    email: Email
    display_name: DisplayName
    role: Role


class ChangeStaffDetails(Command):
    name: ClassVar[str] = "change_staff_details"
    staff_id: Uuid
    username: Username | None = None
    email: Email | None = None
    display_name: DisplayName | None = None


class _AboutSomebody(Command):
    staff_id: Uuid
    reason: Reason


class ChangeRole(_AboutSomebody):
    name: ClassVar[str] = "change_role"
    role: Role


class DisableTwoFactor(_AboutSomebody):
    name: ClassVar[str] = "disable_two_factor"


class RequirePasswordReset(_AboutSomebody):
    name: ClassVar[str] = "require_password_reset"


class DeactivateStaff(_AboutSomebody):
    name: ClassVar[str] = "deactivate_staff"


class ReactivateStaff(_AboutSomebody):
    name: ClassVar[str] = "reactivate_staff"


class ForgetStaff(_AboutSomebody):
    name: ClassVar[str] = "forget_staff"


class SetTwoFactorPolicy(Command):
    """2FA is mandatory, or optional; *effective* (``from`` on the wire) may lie ahead."""

    name: ClassVar[str] = "set_two_factor_policy"
    mandatory: bool
    effective: Annotated[Aware | None, Field(alias="from")] = None
    reason: Reason


class SetPasswordExpiry(Command):
    name: ClassVar[str] = "set_password_expiry"
    max_age_days: Annotated[int, Field(ge=1, le=3650)] | None
    reason: Reason


COMMANDS: Final[Mapping[str, type[Command]]] = {
    command.name: command
    for command in (
        RegisterOrganisation, RegisterStaff, ChangeStaffDetails, ChangeRole, DisableTwoFactor,
        RequirePasswordReset, DeactivateStaff, ReactivateStaff, ForgetStaff, SetTwoFactorPolicy,
        SetPasswordExpiry,
    )
}  # fmt: skip
"""Every command by its short name."""


def parse_command(name: str, data: Mapping[str, Any]) -> Command:
    """
    The command *name* with *data*, as JSON.

    Raises:
        UnreadableCommandError: No command has that name, or the data doesn't fit it.
    """
    model = COMMANDS.get(name)
    if model is None:
        raise UnreadableCommandError(
            f"There is no command of this name; there are {', '.join(sorted(COMMANDS))}."
        )
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise UnreadableCommandError(f"The data doesn't fit {name}: {fields_of(error)}.") from None


def fields_of(error: ValidationError) -> str:
    """Which members are wrong; an unknown one's name is the sender's, and isn't repeated."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    told = set()
    for one in found:
        name = ".".join(map(str, one["loc"])) or "the object"
        known = f"{name} is missing" if one["type"] == "missing" else name
        told.add("an unknown member" if one["type"] == "extra_forbidden" else known)
    return ", ".join(sorted(told))
