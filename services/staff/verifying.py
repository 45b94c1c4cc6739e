"""From a record of the commands' topic to a command, signed by somebody who is registered."""

from dataclasses import dataclass
from typing import Final

from events import streams
from events.canonical import digest
from events.command_wire import CommandEnvelope, read_command, read_envelope
from events.commands import Command, UnreadableCommandError
from services.staff.domain.rights import Rights
from services.staff.ports import Publishers, RawCommand

_HEADERS: Final = ("keyid", "signature")


@dataclass(frozen=True, slots=True)
class Signed:
    """
    A command whose signature is verified.

    Attributes:
        publisher: Key id of who signed it.
        rights: What it may do for the actor that it names.
        envelope: Its attributes.
        command: What is wanted.
        digest: SHA-256 of its bytes.
    """

    publisher: str
    rights: Rights
    envelope: CommandEnvelope
    command: Command
    digest: str

    @property
    def stream(self) -> str:
        """The command's own stream."""
        return streams.command(self.command.organisation_id, self.publisher, self.envelope.id)


class NoCommandError(Exception):
    """A record is no command; goes to the dead letters."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def verify(raw: RawCommand, publishers: Publishers) -> Signed:
    """
    Read a record as a command; nothing in it is believed, or parsed, before its signature is.

    Raises:
        NoCommandError: It is none.
    """
    key_id, signature = _signature(raw)
    if raw.value is None:
        raise NoCommandError("tombstone", "The record has no value.")
    publisher = publishers.find(key_id)
    if publisher is None:
        raise NoCommandError("unknown-key", "No publisher is registered under that key id.")
    if not publisher.signed(raw.value, signature):
        raise NoCommandError("bad-signature", "The signature is not that key's over these bytes.")
    try:
        envelope = read_envelope(raw.value)
        command = read_command(envelope)
    except UnreadableCommandError as error:
        raise NoCommandError("unreadable", str(error)) from None
    return Signed(
        publisher=key_id,
        rights=publishers.rights(publisher, envelope.actor),
        envelope=envelope,
        command=command,
        digest=digest(raw.value),
    )


def _signature(raw: RawCommand) -> tuple[str, bytes]:
    if raw.headers is None:
        raise NoCommandError("bad-headers", "The headers are no UTF-8.")
    found = [(name, value or b"") for name, value in raw.headers if name in _HEADERS]
    headers = dict(found)
    if not headers:
        raise NoCommandError("unsigned", "The headers keyid and signature are missing.")
    try:
        if len(found) != len(_HEADERS):
            raise NoCommandError("bad-headers", "The headers keyid and signature come once each.")
        return headers["keyid"].decode("ascii"), headers["signature"]
    except (KeyError, UnicodeDecodeError):
        raise NoCommandError("bad-headers", "The headers keyid and signature don't fit.") from None
