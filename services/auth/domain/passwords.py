"""
What a new password must be: long, and not known or easy to guess (NIST SP 800-63B-4 §3.1.1).

No composition rules; Unicode NFC and nothing else is done to it.
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE, relevant_l33t_subtable

from services.auth.domain.errors import PasswordRefusedError

SHORTEST: Final = 15
LONGEST: Final = 128
_LONGEST_TYPED: Final = 1024
"""What is longer isn't normalised: no password is, and that takes time by the square of a row of
combining marks."""
_FEWEST_GUESSES_LOG10: Final = 10.0
_FEWEST_OWN_CHARACTERS: Final = 8
"""So many must remain once everything that is known about the person is taken out."""
_FAMOUS: Final = frozenset({"correcthorsebatterystaple", "thequickbrownfoxjumpsoverthelazydog"})
_PARTS: Final = re.compile(r"[\W_]+")
_SEPARATORS: Final = re.compile(r"[\s._@+-]+")
_LOOKED_AT: Final = 72
"""zxcvbn's time grows fast with length; what is bad shows well before this."""
_MOST_LOOKUPS: Final = 160_000
"""It also tries every way to read symbols as letters, hundreds of them where there are many kinds
of symbols: a password made for that took seconds. So many are a tenth of a second."""


def normalised(password: str) -> str:
    """The password as it is hashed: Unicode NFC (NIST SP 800-63B-4 §3.1.1.2)."""
    if len(password) > _LONGEST_TYPED:
        return password
    return unicodedata.normalize("NFC", password)


def could_be_password(password: str) -> bool:
    """Whether it is worth hashing at all; nothing longer or unprintable was ever accepted."""
    return len(password) <= LONGEST and _printable(password)


def check_new_password(password: str, *, known_words: Iterable[str]) -> None:
    """
    Refuse what is too short, too long, or too easy to guess.

    Args:
        password: Normalised.
        known_words: What an attacker would try first for this person: username, names, company.

    Raises:
        PasswordRefusedError: With a reason for its owner that holds no part of it.
    """
    if len(password) < SHORTEST:
        raise PasswordRefusedError(f"Use {SHORTEST} characters or more; a few words do well.")
    if len(password) > LONGEST:
        raise PasswordRefusedError(f"Use {LONGEST} characters or fewer.")
    if not _printable(password):
        raise PasswordRefusedError("Use characters that can be seen and typed.")
    words = [word for known in known_words for word in (known, *known.split()) if len(word) > 3]
    if len(_own_characters(password, words)) < _FEWEST_OWN_CHARACTERS:
        raise PasswordRefusedError("This is mostly your name or company; use something else.")
    verdict = zxcvbn(_looked_at(password), user_inputs=words)
    guessable = verdict["guesses_log10"] < _FEWEST_GUESSES_LOG10
    if guessable or _squeezed(password) in _FAMOUS:
        raise PasswordRefusedError(
            "This is among the passwords that are tried first; use something less expected."
        )


def _looked_at(password: str) -> str:
    """As much of *password* as can be judged in bounded time; never less than `SHORTEST` of it."""
    for length in range(min(_LOOKED_AT, len(password)), SHORTEST, -1):
        readings = relevant_l33t_subtable(password[:length], L33T_TABLE).values()
        if math.prod(map(len, readings)) * length**2 <= _MOST_LOOKUPS:
            return password[:length]
    return password[:SHORTEST]


def _own_characters(password: str, words: Iterable[str]) -> str:
    """What of *password* isn't made of *words*: whatever is put between them."""
    rest = _squeezed(password)
    known = {_squeezed(part) for word in words for part in (word, *_PARTS.split(word))}
    for word in sorted((w for w in known if len(w) > 2), key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest


def _squeezed(text: str) -> str:
    return _SEPARATORS.sub("", text.casefold())


def _printable(password: str) -> bool:
    return all(character == " " or character.isprintable() for character in password)
