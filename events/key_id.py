"""Ids of keys that rotate: ``k1``, ``k2`` and so on; a later key has a higher number."""

from typing import Final

_FIRST: Final = 1


def number(key_id: str) -> int:
    """How late a key was made; an id of another shape is a first key's."""
    digits = key_id.removeprefix("k")
    return int(digits) if digits.isascii() and digits.isdigit() else _FIRST
