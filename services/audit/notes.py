"""
Signed notes (C2SP signed-note): a short text with a signature that anyone can check.

A signature is over the text's exact bytes. Its key is named by the text's own first line, so that a
signature for one partition's log fits no other's.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_DASH: Final = "\u2014 "
_ED25519: Final = b"\1"
_LONGEST: Final = 4_096


class NoteError(Exception):
    """This is no note, or not signed by the key that it should be; the sentence says which."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """
    What an auditor holds: it checks signatures and makes none.

    Attributes:
        name: Whose logs it signs for, ``twofold/<environment>``.
        public: Ed25519, 32 bytes.
    """

    name: str
    public: bytes

    def __str__(self) -> str:
        """As signed-note spells it: ``name+hash+key``."""
        key = b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{_hash(self.name, self.public).hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> "VerificationKey":
        """
        Read what `str` writes.

        Raises:
            NoteError: It is no such key.
        """
        try:
            name, hashed, key = text.strip().split("+", 2)
            raw = b64decode(key, validate=True)
        except ValueError:
            raise NoteError("That is no verification key like name+hash+key.") from None
        found = cls(name, raw[1:])
        if raw[:1] != _ED25519 or len(raw) != 33 or _hash(name, found.public).hex() != hashed:
            raise NoteError("That verification key was damaged, or is of another kind.")
        return found

    @classmethod
    def given(cls, text: str) -> "VerificationKey":
        """
        A key as it is given to a command: itself, or the file that it stands in.

        Raises:
            NoteError: Neither.
        """
        if "+" in text and not Path(text).exists():
            return cls.parse(text)
        try:
            return cls.parse(Path(text).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise NoteError(f"No verification key can be read at {text[:200]}.") from None


def public_of(private: Ed25519PrivateKey, name: str) -> VerificationKey:
    """What checks the signatures that *private* makes."""
    return VerificationKey(name, private.public_key().public_bytes_raw())


def sign(text: str, private: Ed25519PrivateKey) -> str:
    """
    The note: *text* with its signature.

    Args:
        text: Ends with a line's end; its first line names the key.
        private: Whose signature.
    """
    origin = text.partition("\n")[0]
    public = private.public_key().public_bytes_raw()
    signature = b64encode(_hash(origin, public) + private.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{origin} {signature}\n"


def open_note(note: str, key: VerificationKey) -> str:
    """
    The text of *note*, if *key* signed it.

    Raises:
        NoteError: It is no note, or that key didn't.
    """
    text, blank, signatures = note.rpartition("\n\n")
    text += "\n"
    origin = text.partition("\n")[0]
    if not blank or len(note) > _LONGEST or not signatures.endswith("\n"):
        raise NoteError("This is no signed note.")
    try:
        signed = text.encode()
    except UnicodeEncodeError:  # A lone surrogate, out of JSON.
        raise NoteError("This is no signed note.") from None
    if not origin.startswith(f"{key.name}/"):
        raise NoteError(f"This note is of {origin[:120]}, not of {key.name}.")
    prefix = _hash(origin, key.public)
    public = Ed25519PublicKey.from_public_bytes(key.public)
    for line in signatures.splitlines():
        raw = _signature(line, origin)
        if raw is not None and raw[:4] == prefix:
            try:
                public.verify(raw[4:], signed)
            except InvalidSignature:
                continue
            return text
    raise NoteError(f"The note of {origin[:120]} isn't signed by this key.")


def split(text: str) -> list[str]:
    """The notes of a file that holds one behind the other; one that was cut off hides no other."""
    found, lines = [], []
    for line in text.splitlines(keepends=True):
        lines.append(line)
        if line.startswith(_DASH):
            found.append("".join(lines[_beginning(lines) :]))
            lines = []
    return found


def _beginning(lines: list[str]) -> int:
    """Where the note begins that the last line signs: at its origin, where that stands there."""
    origin = lines[-1].removeprefix(_DASH).rpartition(" ")[0]
    starts = [number for number, line in enumerate(lines) if line == f"{origin}\n"]
    return starts[-1] if starts else 0


def _signature(line: str, origin: str) -> bytes | None:
    name, _, encoded = line.removeprefix(_DASH).rpartition(" ")
    if not line.startswith(_DASH) or name != origin:
        return None
    try:
        raw = b64decode(encoded, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == 68 else None


def _hash(name: str, public: bytes) -> bytes:
    """The key's id: four bytes that say which key made a signature."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
