"""
What is written into `publishers.toml`: a first file, a publisher, an API key.

Its form, and who reads it: `services.staff.publishers`.
"""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from events.keys import KeyRing, write_private
from services.staff.publishers import API_KEY_PREFIX

OPERATOR: Final = "operator"


def fresh(ring: KeyRing, operator: Ed25519PublicKey) -> str:
    """
    The text of a first file: the staff service's key and the operator's.

    Args:
        ring: The staff service's signing key is its.
        operator: The operator's public key, which signs the first registrations.
    """
    staff = _section(
        ring.signing_id, ring.signing_key().public_key(), "staff", ["staff", "api-key"]
    )
    own = _section(OPERATOR, operator, "operator", ["service"])
    return f"{staff}\n{own}grants_support = true\n"


def write_fresh(path: Path, ring: KeyRing, operator: Ed25519PublicKey) -> None:
    """
    Write a first file.

    Raises:
        KeyRingError: The file exists already.
    """
    write_private(path, fresh(ring, operator))


def new_publisher(
    key_id: str, key: Ed25519PublicKey, commands: Sequence[str], organisations: Sequence[str]
) -> str:
    """The lines to add to the file for a publisher that acts for itself alone."""
    return "\n" + _section(key_id, key, key_id, ["service"], commands, organisations)


def new_api_key(
    name: str, scopes: Sequence[str] = ("read",), organisations: Sequence[str] = ("*",)
) -> tuple[str, str]:
    """A new API key's token, shown once, and the lines to add to the file."""
    token = API_KEY_PREFIX + secrets.token_urlsafe(32)
    lines = (
        f"\n[api_keys.{name}]\n"
        f'hash = "{sha256(token.encode()).hexdigest()}"\n'
        f"scopes = [{_quoted(scopes)}]\n"
        f"organisations = [{_quoted(organisations)}]\n"
    )
    return token, lines


def _section(
    key_id: str,
    key: Ed25519PublicKey,
    service: str,
    actors: Sequence[str],
    commands: Sequence[str] = ("*",),
    organisations: Sequence[str] = ("*",),
) -> str:
    return (
        f"[publishers.{key_id}]\n"
        f'public_key = "{b64encode(key.public_bytes_raw()).decode()}"\n'
        f'service = "{service}"\n'
        f"commands = [{_quoted(commands)}]\n"
        f"organisations = [{_quoted(organisations)}]\n"
        f"actors = [{_quoted(actors)}]\n"
    )


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)
