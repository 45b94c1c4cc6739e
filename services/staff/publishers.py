"""
Who may publish commands, and which API keys may ask: `publishers.toml`, read again when it changes.

    [publishers.billing]                      # the key id
    public_key = "…"                          # Ed25519, base64
    service = "billing"
    commands = ["register_staff"]             # or "*"
    organisations = ["*"]                     # or ids
    actors = ["service"]                      # itself; "staff": people, with their own rights;
                                              # "api-key": API keys, with theirs
    grants_support = false                    # whether it may give the role support, and
                                              # act on whoever has it

    [api_keys.dashboard]
    hash = "…"                                # SHA-256 of the key, hexadecimal
    scopes = ["read"]                         # read, audit, command:<name>
    organisations = ["*"]

Taking an entry out of the file revokes it at once, without a restart.
"""

import tomllib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from events import streams
from events.command_wire import is_signed
from events.commands import COMMANDS
from services.staff.domain.rights import Rights

API_KEY_PREFIX: Final = "tfk_"

log = structlog.get_logger()

_KeyId = Annotated[str, StringConstraints(pattern=rf"^{streams.KEY_ID}$")]
_Organisation = Annotated[str, StringConstraints(pattern=rf"^(\*|{streams.UUID})$")]
_Actor = Annotated[
    str,
    StringConstraints(
        pattern=rf"^(staff|service|api-key|staff/{streams.UUID}|service/{streams.KEY_ID})$"
    ),
]


class PublishersError(Exception):
    """The file can't be used; the sentence says why."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _PublisherEntry(_Entry):
    public_key: str
    service: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    commands: list[str]
    organisations: list[_Organisation]
    actors: list[_Actor]
    grants_support: bool = False


class _ApiKeyEntry(_Entry):
    hash: Annotated[str, StringConstraints(pattern=rf"^{streams.DIGEST}$")]
    scopes: list[Annotated[str, StringConstraints(pattern=r"^(read|audit|command:[a-z_]{1,64})$")]]
    organisations: list[_Organisation]


class _File(_Entry):
    publishers: dict[_KeyId, _PublisherEntry] = Field(default_factory=dict)
    api_keys: dict[_KeyId, _ApiKeyEntry] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publisher:
    """
    Somebody who may publish commands.

    Attributes:
        service: For people.
        rights: What its key is registered for.
        key: Ed25519.
    """

    service: str
    rights: Rights
    key: Ed25519PublicKey

    def signed(self, value: bytes, signature: bytes) -> bool:
        """Whether *signature*, base64, is its key's over *value*."""
        return is_signed(value, signature, self.key)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """
    A program that may ask.

    Attributes:
        id: Its name in the file.
        scopes: ``read``, ``audit``, ``command:<name>``.
        organisations: Ids; ``*``: all.
    """

    id: str
    scopes: frozenset[str]
    organisations: frozenset[str]

    def sees(self, organisation_id: str) -> bool:
        """Whether the organisation is one of its."""
        return bool({"*", organisation_id} & self.organisations)

    @property
    def rights(self) -> Rights:
        """What it may command."""
        commands = {scope.removeprefix("command:") for scope in self.scopes - {"read", "audit"}}
        return Rights(self.id, frozenset(commands), self.organisations, frozenset({"service"}))


@dataclass(frozen=True, slots=True)
class Registered:
    """What the file says."""

    publishers: Mapping[str, Publisher]
    api_keys: Mapping[str, ApiKey]


class PublishersFile:
    """Publishers and API keys as the file says now."""

    def __init__(self, path: Path) -> None:
        """
        Read it.

        Raises:
            PublishersError: It is missing, or not as it must be.
        """
        self._path = path
        self._seen = _stamp(path)
        self._registered = read(path)

    def find(self, key_id: str) -> Publisher | None:
        """The publisher with that key; None where there's none (any more)."""
        return self._now().publishers.get(key_id)

    def rights(self, publisher: Publisher, actor: str) -> Rights:
        """What *publisher* may do for *actor*: its rights, or those of the API key that acts."""
        kind, _, name = actor.partition("/")
        if kind == "service" and "api-key" in publisher.rights.actors:
            for key in self._now().api_keys.values():
                if key.id == name:
                    return key.rights
        return publisher.rights

    def api_key(self, token: str) -> ApiKey | None:
        """The API key, by the token that a caller gave."""
        return self._now().api_keys.get(sha256(token.encode()).hexdigest())

    def _now(self) -> Registered:
        """Read again where the file changed; while it can't be read, nobody is registered."""
        stamp = _stamp(self._path)
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._registered = read(self._path)
                log.info("publishers.read", publishers=len(self._registered.publishers))
            except PublishersError as error:
                # The last good reading may hold what was just revoked.
                self._registered = Registered({}, {})
                log.error("publishers.unreadable", why=str(error))  # noqa: TRY400 -- No trace: the sentence says it.
        return self._registered


def read(path: Path) -> Registered:
    """
    Read the file.

    Raises:
        PublishersError: It is missing, or not as it must be.
    """
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        return Registered(
            {name: _publisher(name, entry) for name, entry in file.publishers.items()},
            {
                entry.hash: ApiKey(name, frozenset(entry.scopes), frozenset(entry.organisations))
                for name, entry in file.api_keys.items()
            },
        )
    except OSError as error:
        raise PublishersError(
            f"{path} can't be read; make it with: twofold keys generate"
        ) from error
    except ValidationError as error:
        places = {".".join(map(str, one["loc"])) for one in error.errors(include_input=False)}
        raise PublishersError(f"{path} doesn't fit at: {', '.join(sorted(places))}.") from None
    except ValueError as error:
        raise PublishersError(f"{path} is no TOML: {error}.") from error


def _publisher(key_id: str, entry: _PublisherEntry) -> Publisher:
    unknown = set(entry.commands) - {"*", *COMMANDS}
    if unknown:
        raise PublishersError(
            f"Publisher {key_id} names commands that don't exist: {', '.join(sorted(unknown))}."
        )
    rights = Rights(
        key_id=key_id,
        commands=frozenset(entry.commands),
        organisations=frozenset(entry.organisations),
        actors=frozenset(entry.actors),
        grants_support=entry.grants_support,
    )
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(entry.public_key, validate=True))
    except ValueError as error:
        raise PublishersError(
            f"The public key of publisher {key_id} isn't 32 bytes in base64."
        ) from error
    return Publisher(entry.service, rights, key)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
