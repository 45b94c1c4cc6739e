"""Time-based one-time passwords (RFC 6238, over RFC 4226's HOTP): SHA-1, six digits, 30 s."""

import hmac
import re
from base64 import b32encode
from datetime import datetime
from typing import Final

import pyotp

from events.moments import to_milliseconds

SEED_BYTES: Final = 20
"""RFC 4226 §4, R6: 160 bits."""
STEP_MS: Final = 30_000
_CODE = re.compile(r"[0-9]{6}")


def is_code(text: str) -> bool:
    """Whether *text* is six ASCII digits; pyotp, and a regex's class of digits, take others too."""
    return _CODE.fullmatch(text) is not None


def time_step(now: datetime) -> int:
    """Steps of 30 s since the Unix epoch (RFC 6238 §4.2)."""
    return to_milliseconds(now) // STEP_MS


def matching_time_step(seed: bytes, code: str, now: datetime) -> int | None:
    """
    Find the time-step whose code equals *code*: the current one, or the one before.

    Both are computed and compared whatever the first comparison says, so that timing tells nothing.

    Args:
        seed: Shared key, 20 raw bytes (RFC 4226 §4, R6).
        code: As given; anything but six ASCII digits matches nothing.
        now: Aware, UTC.

    Returns:
        Steps of 30 s since the Unix epoch, or None when neither matches.

    Raises:
        ValueError: *now* is naive.
    """
    if now.tzinfo is None:
        raise ValueError("A code is checked at an aware moment.")
    given = code.encode() if is_code(code) else b"------"
    totp = pyotp.TOTP(_base32(seed))
    current = time_step(now)
    found = None
    for step in (current - 1, current):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            found = step
    return found


def otpauth_uri(seed: bytes, *, account: str, issuer: str) -> str:
    """The ``otpauth://totp/…`` URI that authenticator apps read, as a link or a QR code."""
    return pyotp.TOTP(_base32(seed)).provisioning_uri(name=account, issuer_name=issuer)


def secret_text(seed: bytes) -> str:
    """The seed for typing: base32 (RFC 4648 §6), in groups of four."""
    text = _base32(seed)
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def _base32(seed: bytes) -> str:
    return b32encode(seed).decode()
