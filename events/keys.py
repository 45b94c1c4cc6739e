"""
The key ring: every secret key that the services share, from one file that only they can read.

Keys derive from nothing and are named by ids, so that each can be rotated: the current one is
written with, all of them are read with.
"""

import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


class KeyRingError(Exception):
    """The key ring can't be used; the sentence says what to do."""


@dataclass(slots=True)
class RotatingKey:
    """
    Keys for one purpose. In a running service they follow the file (`events.keyfile`).

    Attributes:
        current: Id of the one to write with.
        keys: All by id, 32 bytes each.
    """

    current: str
    keys: Mapping[str, bytes] = field(repr=False, hash=False)

    @property
    def key(self) -> bytes:
        """The one to write with."""
        return self.keys[self.current]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """
    What a service is given.

    Attributes:
        encryption: Key-encryption keys, which wrap the vault's data keys.
        mac: The writers' keys, which authenticate records.
        root: Tickets, link and session tokens, username digests and the pepper derive from it.
        signing_id: The staff service's own publisher key id.
        signing: Its Ed25519 private key, 32 raw bytes.
        development: Made by `twofold up` on a developer's machine: production refuses it.
    """

    encryption: RotatingKey = field(hash=False)
    mac: RotatingKey = field(hash=False)
    root: bytes = field(repr=False)
    signing_id: str
    signing: bytes = field(repr=False)
    development: bool = False

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for *purpose* alone (HKDF-SHA256, RFC 5869)."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(self.root)

    def signing_key(self) -> Ed25519PrivateKey:
        """The staff service's signing key."""
        return Ed25519PrivateKey.from_private_bytes(self.signing)

    def refuse_unsafe(self) -> None:
        """
        What production asks of keys.

        Raises:
            KeyRingError: They are a developer's, made up by hand, or one stands for several.
        """
        if self.development:
            raise KeyRingError(
                "The key ring was made by twofold up, for development; make one for production"
                " with: twofold keys generate"
            )
        found = [*self.encryption.keys.values(), *self.mac.keys.values(), self.root, self.signing]
        # Of 32 random bytes, fewer than 16 differ once in 10^16 keys.
        if len(set(found)) < len(found) or any(len(set(key)) < 16 for key in found):
            raise KeyRingError(
                "The key ring holds a key that isn't random, or the same one twice; make one with:"
                " twofold keys generate"
            )


def generate(prefix: str = "k1", *, development: bool = False) -> KeyRing:
    """A new key ring, every key from the system's randomness."""
    return KeyRing(
        encryption=RotatingKey(prefix, {prefix: secrets.token_bytes(KEY_BYTES)}),
        mac=RotatingKey(prefix, {prefix: secrets.token_bytes(KEY_BYTES)}),
        root=secrets.token_bytes(KEY_BYTES),
        signing_id="staff-service",
        signing=secrets.token_bytes(KEY_BYTES),
        development=development,
    )


def save(ring: KeyRing, path: Path) -> None:
    """
    Write *ring* where only its owner can read it.

    Raises:
        KeyRingError: The file exists already.
    """
    write_private(path, dump(ring))


def dump(ring: KeyRing) -> str:
    """What `load` reads."""
    return json.dumps(
        {
            "encryption": _rotating(ring.encryption),
            "mac": _rotating(ring.mac),
            "root": _b64(ring.root),
            "signing": {"id": ring.signing_id, "key": _b64(ring.signing)},
            **({"development": True} if ring.development else {}),
        },
        indent=2,
    )


def write_private(path: Path, text: str) -> None:
    """
    Write *text* to a new file of mode 0600.

    Raises:
        KeyRingError: The file exists already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except FileExistsError as error:
        raise KeyRingError(f"{path} exists already; move it away to make new keys.") from error


def load(path: Path) -> KeyRing:
    """
    Read a key ring.

    Raises:
        KeyRingError: It is missing, readable by others, or not a key ring.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise KeyRingError(f"{path} can be read by others; run chmod 600 on it.")
        stored = json.loads(path.read_text())
        return KeyRing(
            encryption=_read_rotating(stored["encryption"]),
            mac=_read_rotating(stored["mac"]),
            root=_key(stored["root"]),
            signing_id=stored["signing"]["id"],
            signing=_key(stored["signing"]["key"]),
            development=bool(stored.get("development", False)),
        )
    except FileNotFoundError as error:
        raise KeyRingError(
            f"There is no key ring at {path}; make one with: twofold keys generate"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise KeyRingError(f"{path} is not a key ring; restore it from your backup.") from error


def _rotating(key: RotatingKey) -> dict[str, Any]:
    return {"current": key.current, "keys": {name: _b64(k) for name, k in key.keys.items()}}


def _read_rotating(stored: dict[str, Any]) -> RotatingKey:
    keys = {str(name): _key(text) for name, text in stored["keys"].items()}
    if stored["current"] not in keys:
        raise ValueError("the current key is missing")
    return RotatingKey(stored["current"], keys)


def _key(text: str) -> bytes:
    key = b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key is 32 bytes")
    return key


def _b64(key: bytes) -> str:
    return b64encode(key).decode()
