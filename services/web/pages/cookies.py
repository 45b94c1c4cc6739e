"""
Cookies: what they are called, how they are set, and the sealed one that carries a flow's state.

All have the prefix ``__Host-`` (RFC 6265bis §4.1.3): of this host alone, over TLS, for every path.
Browsers take them from http://127.0.0.1 and http://localhost too, so development needs no others.
"""

import json
import struct
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

from events.moments import to_milliseconds
from events.vault.sealing import UnsealingError, decrypt, encrypt, from_text, to_text

SESSION: Final = "__Host-session"
"""The session's token; both services read it."""

FORGERY: Final = "__Host-forgery"
"""The random half of what every form carries."""

DEVICE: Final = "__Host-device"
"""Shows that somebody logged in from here before."""

_STAMP = struct.Struct(">Q")


def cookies_of(connection: HTTPConnection) -> Mapping[str, str]:
    """
    What the browser sent, by names exactly as they were sent.

    Most readers of cookies take white space of any kind off a name. A sibling domain may set one
    that begins with a byte of such: to browsers it has no prefix, to those readers it would be
    ours. What stands twice is nobody's.
    """
    found: dict[str, str] = {}
    twice = set()
    for part in ";".join(connection.headers.getlist("cookie")).split(";"):
        name, _, value = part.strip(" \t").partition("=")
        if name in found:
            twice.add(name)
        found[name] = value
    return {name: value for name, value in found.items() if name not in twice}


def set_cookie(
    response: Response,
    name: str,
    value: str,
    *,
    lives: timedelta | None = None,
    same_site: Literal["lax", "strict"] = "lax",
) -> None:
    """
    Set *name*.

    Args:
        response: Its ``Set-Cookie`` is written.
        name: With the prefix.
        value: Made of base64url's characters and dots.
        lives: None: until the browser is closed.
        same_site: Strict cookies aren't sent with a click in an e-mail.
    """
    response.set_cookie(
        name,
        value,
        max_age=None if lives is None else int(lives.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite=same_site,
    )


def clear_cookie(response: Response, name: str) -> None:
    """Let the browser forget *name*."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


class Seal:
    """
    What a browser keeps for us between two steps: sealed, so that it is neither read nor made.

    A flow's tickets live in here and not in an address, where logs, histories and shoulders would
    see them. Purpose and expiry are bound to the ciphertext.
    """

    def __init__(self, key: bytes) -> None:
        """
        Args:
            key: 32 bytes for this alone.
        """
        self._key = key

    def seal(self, purpose: str, state: Any, *, expires: datetime, pad_to: int = 0) -> str:
        """
        Seal *state*.

        Args:
            purpose: Only the same one opens it.
            state: Any JSON.
            expires: Not opened from then on.
            pad_to: Bytes that the JSON is filled up to, so that its length doesn't show.
        """
        stamp = _STAMP.pack(to_milliseconds(expires))
        text = json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()
        return to_text(stamp + encrypt(self._key, text.ljust(pad_to), stamp + purpose.encode()))

    def open(self, purpose: str, text: str, now: datetime) -> Any | None:
        """What was sealed for *purpose*; None where it wasn't, or is no longer good."""
        try:
            raw = from_text(text)
            stamp, sealed = raw[: _STAMP.size], raw[_STAMP.size :]
            if to_milliseconds(now) >= _STAMP.unpack(stamp)[0]:
                return None
            return json.loads(decrypt(self._key, sealed, stamp + purpose.encode()))
        except (ValueError, struct.error, UnsealingError):
            return None
