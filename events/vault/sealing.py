"""
Sealing: each entry under its own data key, the data key wrapped by a key-encryption key.

AES-256-GCM (NIST SP 800-38D) twice, with the entry's id, kind, owner and key version as associated
data, so that neither entries nor their wrapped keys can be swapped.
"""

import json
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.keys import RotatingKey
from events.moments import read_moment, write_moment
from events.streams import KEY_ID, UUID

Kind = Literal["password", "authenticator", "personal"]
"""A password's hash, an authenticator's seed, a person's data key."""

MAX_BYTES: Final = 8 * 1024
"""Of an entry as its topic holds it; ours have less than 1 KiB."""

_NONCE_BYTES = 12
_ID, _KEY_ID = re.compile(UUID), re.compile(KEY_ID)


class UnsealingError(Exception):
    """The entry was altered, swapped, or sealed under a key that isn't in the ring."""


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """
    An entry as the vault's topic holds it.

    Attributes:
        id: A UUID; the record's key.
        kind: What is in it.
        owner: The person's id.
        deadline: After this append time, no new event can come to name it: the deadline of the
            event that it was made for.
        key_id: The key-encryption key that wraps the data key.
        wrapped_key: Nonce and ciphertext of the data key.
        sealed: Nonce and ciphertext of the secret.
    """

    id: str
    kind: Kind
    owner: str
    deadline: datetime
    key_id: str
    wrapped_key: bytes
    sealed: bytes

    def to_bytes(self) -> bytes:
        """The record's value, JSON."""
        return json.dumps(
            {
                "id": self.id,
                "kind": self.kind,
                "owner": self.owner,
                "deadline": write_moment(self.deadline),
                "key": self.key_id,
                "wrapped_key": to_text(self.wrapped_key),
                "sealed": to_text(self.sealed),
            }
        ).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> "SealedEntry":
        """
        Read what `to_bytes` writes.

        Whoever can write to the vault's topic can write anything there: every member is of its
        shape, or it is no entry, so that no database has to refuse it.

        Raises:
            UnsealingError: It isn't that.
        """
        try:
            if len(value) > MAX_BYTES:
                raise UnsealingError("This is too long for an entry of the vault.")
            stored = json.loads(value)
            return cls(
                id=_shaped(_ID, stored["id"]),
                kind=_kind(stored["kind"]),
                owner=_shaped(_ID, stored["owner"]),
                deadline=read_moment(stored["deadline"]),
                key_id=_shaped(_KEY_ID, stored["key"]),
                wrapped_key=from_text(stored["wrapped_key"]),
                sealed=from_text(stored["sealed"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnsealingError("This is no entry of the vault.") from error


def seal(
    secret: bytes, *, entry_id: str, kind: Kind, owner: str, deadline: datetime, key: RotatingKey
) -> SealedEntry:
    """Seal *secret* under a data key of its own, wrapped by the ring's current key."""
    data_key = AESGCM.generate_key(256)
    return SealedEntry(
        id=entry_id,
        kind=kind,
        owner=owner,
        deadline=deadline,
        key_id=key.current,
        wrapped_key=encrypt(key.key, data_key, _about(entry_id, kind, owner, key.current)),
        sealed=encrypt(data_key, secret, _about(entry_id, kind, owner, "")),
    )


def unseal(entry: SealedEntry, *, entry_id: str, kind: Kind, owner: str, key: RotatingKey) -> bytes:
    """
    The secret in *entry*, if it is the one that was asked for.

    Raises:
        UnsealingError: It is another's, of another kind, altered, or its key isn't in the ring.
    """
    data_key = _data_key(entry, _about(entry_id, kind, owner, entry.key_id), key)
    return decrypt(data_key, entry.sealed, _about(entry_id, kind, owner, ""))


def opens(entry: SealedEntry, key: RotatingKey) -> bool:
    """Whether the ring opens *entry*: whoever made it, and wrapped its data key, had these keys."""
    try:
        unseal(entry, entry_id=entry.id, kind=entry.kind, owner=entry.owner, key=key)
    except UnsealingError:
        return False
    return True


def rewrap(entry: SealedEntry, key: RotatingKey) -> SealedEntry:
    """
    The same entry with its data key under the ring's current key.

    Raises:
        UnsealingError: It was altered, or its key isn't in the ring.
    """
    data_key = _data_key(entry, _about(entry.id, entry.kind, entry.owner, entry.key_id), key)
    wrapped = encrypt(key.key, data_key, _about(entry.id, entry.kind, entry.owner, key.current))
    return SealedEntry(
        entry.id, entry.kind, entry.owner, entry.deadline, key.current, wrapped, entry.sealed
    )


def encrypt(key: bytes, plain: bytes, about: bytes) -> bytes:
    """A random 96-bit nonce and the AES-256-GCM ciphertext of *plain*, bound to *about*."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def decrypt(key: bytes, sealed: bytes, about: bytes) -> bytes:
    """
    What `encrypt` sealed.

    Raises:
        UnsealingError: It wasn't, with this key and about this.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
    except (InvalidTag, ValueError) as error:
        raise UnsealingError(
            "This was sealed with another key, for something else, or altered."
        ) from error


def to_text(value: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """
    What `to_text` wrote.

    Raises:
        ValueError: It isn't that.
    """
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def is_id(text: str) -> bool:
    """Whether an entry may be called so."""
    return _ID.fullmatch(text) is not None


def _shaped(shape: re.Pattern[str], member: Any) -> str:
    if not isinstance(member, str) or not shape.fullmatch(member):
        raise ValueError("This is not of its member's shape.")
    return member


def _kind(member: Any) -> Kind:
    for kind in get_args(Kind):
        if kind == member:
            return kind  # type: ignore[no-any-return]
    raise ValueError("There is no such kind of entry.")


def _data_key(entry: SealedEntry, about: bytes, key: RotatingKey) -> bytes:
    wrapping = key.keys.get(entry.key_id)
    if wrapping is None:
        raise UnsealingError(f"Key {entry.key_id} is not in the key ring.")
    return decrypt(wrapping, entry.wrapped_key, about)


def _about(entry_id: str, kind: str, owner: str, key_id: str) -> bytes:
    return json.dumps([entry_id, kind, owner, key_id]).encode()
