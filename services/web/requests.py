"""What calls carry besides their bodies: a bearer token, an idempotency key."""

import hmac
import json
import re
from hashlib import sha256
from uuid import UUID, uuid4

from starlette.requests import HTTPConnection

from services.web.problems import Problem

_KEY = re.compile(r"[\x21-\x7e]{16,200}")
_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]{16,500})", re.IGNORECASE)


def bearer(connection: HTTPConnection) -> str | None:
    """The token of ``Authorization: Bearer``; None where there is none, or it is no token."""
    found = _BEARER.fullmatch(connection.headers.get("authorization", ""))
    return found[1] if found else None


def idempotency_key(connection: HTTPConnection) -> str | None:
    """
    The caller's ``Idempotency-Key``.

    Raises:
        Problem: 400 where it is too short to be nobody else's.
    """
    key = connection.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Problem(
            400,
            "bad-request",
            "An Idempotency-Key has 16 to 200 visible ASCII characters, 128 random bits or more.",
        )
    return key


def derived_id(secret: bytes, key: str | None, *about: str) -> str:
    """
    The id of what a request causes: the same for the same request under the same key.

    Args:
        secret: ``ring.derive("idempotency")``.
        key: The caller's; None: a new id each time.
        about: Caller, route and request, without its password and codes.

    Returns:
        A UUID, lower case.
    """
    if key is None:
        return str(uuid4())
    mac = hmac.digest(secret, json.dumps([key, *about]).encode(), sha256)
    return str(UUID(bytes=mac[:16]))
