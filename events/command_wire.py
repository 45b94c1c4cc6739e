"""
Commands and their outcomes as they cross the wire; signing.

A command is a CloudEvents 1.0 structured-mode JSON object in `twofold.commands`, with the headers
``keyid`` and ``signature``: Ed25519 (RFC 8032) over the exact value bytes, base64. Publishers may
write their JSON as they like; its bytes are what is signed, and what a repeat is compared with.
"""

import json
from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, StringConstraints, ValidationError

from events import streams
from events.commands import (
    SHAPE,
    Aware,
    Command,
    UnreadableCommandError,
    fields_of,
    parse_command,
    text,
)
from events.facts import Uuid

MAX_BYTES: Final = 64 * 1024
LONGEST_EXPIRY: Final = timedelta(hours=24)
_TYPE_PREFIX, _TYPE_SUFFIX = "twofold.command.", ".v1"


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

    model_config = SHAPE
    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(pattern=rf"^{streams.COMMAND_ID}$")]
    source: Annotated[str, text(1, 200)]
    type: Annotated[str, StringConstraints(pattern=r"^twofold\.command\.[a-z_]{1,64}\.v1$")]
    time: Aware
    datacontenttype: Literal["application/json"] = "application/json"
    subject: Annotated[str, text(1, 200)] | None = None
    audience: Annotated[str, text(1, 200)]
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

    model_config = SHAPE
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
        raise UnreadableCommandError(f"The command doesn't fit: {fields_of(error)}.") from None
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
