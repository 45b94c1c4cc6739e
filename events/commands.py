"""
Admin commands and their outcomes, as they cross the wire; signing.

A command is a CloudEvents 1.0 structured-mode JSON object in `twofold.commands`, with the headers
``keyid`` and ``signature``: Ed25519 (RFC 8032) over the exact value bytes, base64. Publishers may
write their JSON as they like; its bytes are what is signed, and what a repeat is compared with.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from events import streams
from events.facts import Uuid
from events.staff import Role

MAX_BYTES: Final = 64 * 1024
LONGEST_EXPIRY: Final = timedelta(hours=24)
_TYPE_PREFIX, _TYPE_SUFFIX = "twofold.command.", ".v1"

_SHAPE = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("no such moment in UTC") from None


Aware = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment with its offset, read into UTC; near the first and last year there may be none."""


def _text(shortest: int, longest: int) -> StringConstraints:
    return StringConstraints(min_length=shortest, max_length=longest, pattern=_PRINTABLE)


Reason = Annotated[str, _text(1, 500)]
Username = Annotated[str, _text(1, 128)]
_UNSEEN: Final = (
    r"\x00-\x20\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
)
"""White space, controls, and what turns or hides text."""
_ATOM: Final = rf'[^{_UNSEEN}.()<>@,;:?"\\\[\]]+'
_ADDRESS: Final = rf"^{_ATOM}(\.{_ATOM})*@{_ATOM}(\.{_ATOM})*$"
"""
RFC 5322's dot-atom on both sides, in any script (RFC 6531). No quotes, comments, groups, literals,
nor the question marks of encoded words (RFC 2047): mail programs read those as something else.
"""
Email = Annotated[str, StringConstraints(max_length=254, pattern=_ADDRESS)]
DisplayName = Annotated[str, _text(1, 200)]


class UnreadableCommandError(ValueError):
    """What came is no command; it goes to the dead letters. The sentence holds no part of it."""


class Command(BaseModel):
    """What somebody wants done in an organisation."""

    model_config = _SHAPE
    name: ClassVar[str]
    organisation_id: Uuid


class RegisterOrganisation(Command):
    name: ClassVar[str] = "register_organisation"
    organisation_name: Annotated[str, _text(1, 200), Field(alias="name")]


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


class CommandEnvelope(BaseModel):
    """
    A command's attributes.

    Attributes:
        id: The command id: the same one again has the same outcome and no second effect.
        audience: Environment and topic that it is meant for, ``development/twofold.commands``.
        expiry: After it, the command is rejected; at most 24 h after `time`.
        actor: ``staff/<uuid>`` or ``service/<key id>``.
        sessionid: The person's session, where it was sent from one.
    """

    model_config = _SHAPE
    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(pattern=rf"^{streams.COMMAND_ID}$")]
    source: Annotated[str, _text(1, 200)]
    type: Annotated[str, StringConstraints(pattern=r"^twofold\.command\.[a-z_]{1,64}\.v1$")]
    time: Aware
    datacontenttype: Literal["application/json"] = "application/json"
    subject: Annotated[str, _text(1, 200)] | None = None
    audience: Annotated[str, _text(1, 200)]
    expiry: Aware
    actor: Annotated[
        str, StringConstraints(pattern=rf"^(staff/{streams.UUID}|service/{streams.KEY_ID})$")
    ]
    sessionid: Uuid | None = None
    correlationid: Annotated[str, StringConstraints(pattern=rf"^{streams.COMMAND_ID}$")] | None = (
        None
    )
    data: dict[str, Any]

    @property
    def command_name(self) -> str:
        """The short name."""
        return self.type.removeprefix(_TYPE_PREFIX).removesuffix(_TYPE_SUFFIX)


class CommandOutcome(BaseModel):
    """
    What became of a command.

    Attributes:
        command_id: Its id.
        outcome: Whether it took effect.
        position: Where its outcome stands in the history.
        reason: A permanent word, where it was rejected.
        detail: A sentence for people, where it was rejected.
    """

    model_config = _SHAPE
    command_id: str
    outcome: Literal["accepted", "rejected"]
    position: str
    reason: str | None = None
    detail: str | None = None


def write_outcome(
    outcome: CommandOutcome, publisher: str, *, event_id: str, now: datetime
) -> bytes:
    """
    *outcome* as it crosses the wire: a CloudEvents 1.0 structured-mode JSON object.

    Its extension attribute ``publisher`` is the key id of who signed the command: two publishers
    may take the same command id.
    """
    return json.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "twofold/staff",
            "type": "twofold.command_outcome.v1",
            "time": now.isoformat(),
            "subject": outcome.command_id,
            "publisher": publisher,
            "datacontenttype": "application/json",
            "data": outcome.model_dump(mode="json", exclude_none=True),
        }
    ).encode()


def read_envelope(value: bytes) -> CommandEnvelope:
    """
    Read a command's attributes, believing nothing before its signature is verified.

    Raises:
        UnreadableCommandError: Too long, no JSON, a key twice, NUL, a fraction, or ill-fitting.
    """
    if len(value) > MAX_BYTES:
        raise UnreadableCommandError("The command is longer than 64 KiB.")
    try:
        members = json.loads(
            value.decode(),
            object_pairs_hook=_unique,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
        json.dumps(members, ensure_ascii=False).encode()
        return CommandEnvelope.model_validate_json(value)
    except ValidationError as error:
        raise UnreadableCommandError(f"The command doesn't fit: {_fields(error)}.") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableCommandError(
            "The command is no JSON object of the kind asked for."
        ) from error


def read_command(envelope: CommandEnvelope) -> Command:
    """
    The command in *envelope*.

    Raises:
        UnreadableCommandError: No command has that name, or the data doesn't fit it.
    """
    return parse_command(envelope.command_name, envelope.data)


def parse_command(name: str, data: Mapping[str, Any]) -> Command:
    """
    The command *name* with *data*, as JSON.

    Raises:
        UnreadableCommandError: No command has that name, or the data doesn't fit it.
    """
    model = COMMANDS.get(name)
    if model is None:
        raise UnreadableCommandError("There is no command of this name.")
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise UnreadableCommandError(f"The data doesn't fit {name}: {_fields(error)}.") from None


def write_command(
    command: Command,
    *,
    command_id: str,
    source: str,
    audience: str,
    actor: str,
    now: datetime,
    lifetime: timedelta = timedelta(minutes=10),
    session_id: str | None = None,
    correlation_id: str | None = None,
) -> bytes:
    """The value bytes of *command*, ready to be signed."""
    envelope = CommandEnvelope(
        specversion="1.0",
        id=command_id,
        source=source,
        type=f"{_TYPE_PREFIX}{command.name}{_TYPE_SUFFIX}",
        time=now,
        audience=audience,
        expiry=now + min(lifetime, LONGEST_EXPIRY),
        actor=actor,
        sessionid=session_id,
        correlationid=correlation_id,
        data=command.model_dump(mode="json", by_alias=True, exclude_unset=True),
    )
    return envelope.model_dump_json(exclude_none=True).encode()


def sign(value: bytes, key_id: str, key: Ed25519PrivateKey) -> list[tuple[str, bytes]]:
    """Kafka headers for *value*."""
    return [("keyid", key_id.encode()), ("signature", b64encode(key.sign(value)))]


def is_signed(value: bytes, signature: bytes, key: Ed25519PublicKey) -> bool:
    """Whether *signature*, base64 as in the header, is *key*'s over *value*."""
    try:
        key.verify(b64decode(signature, validate=True), value)
    except (InvalidSignature, ValueError):
        return False
    return True


def _fields(error: ValidationError) -> str:
    """Names of our own members; an unknown one's name is the sender's, and isn't repeated."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    named = {
        "an unknown member"
        if one["type"] == "extra_forbidden"
        else ".".join(map(str, one["loc"])) or "the object"
        for one in found
    }
    return ", ".join(sorted(named))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    for item in (*members, *members.values()):
        if isinstance(item, str) and "\0" in item:
            raise ValueError("NUL in a string")
    return members


def _refuse_number(text: str) -> None:
    raise ValueError(f"no whole number: {text[:16]}")
