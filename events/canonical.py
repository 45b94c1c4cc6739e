"""
Canonical JSON: one spelling for each value (RFC 8785), so that bytes can be hashed and signed.

The JSON here is of strings, whole numbers, booleans, null, arrays and objects. With ASCII keys and
no fractions, RFC 8785's order (UTF-16 code units) is plain string order and its numbers are plain
decimal digits, which the standard library writes already.
"""

import hashlib
import json
from typing import Any

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1


class NotCanonicalError(ValueError):
    """These bytes are not the one spelling of a JSON value."""


def digest(value: bytes) -> str:
    """SHA-256 of the exact bytes, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(value).hexdigest()


def dumps(value: Any) -> bytes:
    """
    Spell *value*, UTF-8, as RFC 8785 does.

    Raises:
        NotCanonicalError: It holds a fraction, a number beyond 2^53, NUL, a lone surrogate, a key
            that is not ASCII, or nests deeper than 32 levels.
    """
    _check(value)
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError("a lone surrogate") from error


def loads(value: bytes) -> Any:
    """
    Read *value* if, written again, it would be the same bytes.

    Raises:
        NotCanonicalError: It would not, or is no JSON at all.
    """
    try:
        parsed = _DECODER.decode(value.decode())
    except RecursionError as error:
        raise NotCanonicalError("nested too deeply") from error
    except ValueError as error:
        raise NotCanonicalError("not JSON") from error
    if dumps(parsed) != value:
        raise NotCanonicalError("another spelling of the same value")
    return parsed


def _refuse(text: str) -> None:
    raise NotCanonicalError(f"no whole number: {text[:32]}")


# Made once: json.dumps and json.loads would make them anew each time.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_DECODER = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse)


def _check(value: Any) -> None:
    """Walk level by level, so that depth is bounded by this rule and not by a Python's stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for item in level:
            # Each record passes here several times: `type` is asked before `isinstance`.
            kind = type(item)
            if kind is str or isinstance(item, str):
                if "\0" in item:
                    raise NotCanonicalError("NUL in a string")
            elif kind is bool or item is None:
                pass
            elif kind is int or isinstance(item, int):
                if abs(item) > MAX_INTEGER:
                    raise NotCanonicalError("a number beyond 2^53")
            elif kind is dict or isinstance(item, dict):
                for key in item:
                    if not isinstance(key, str) or not key.isascii() or "\0" in key:
                        raise NotCanonicalError("a key that is not ASCII")
                deeper.extend(item.values())
            elif kind is list or kind is tuple:
                deeper.extend(item)
            else:
                raise NotCanonicalError(f"a {kind.__name__}")
        if not deeper:
            return
        level = deeper
    raise NotCanonicalError("nested too deeply")
