"""Signed notes."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.notes import NoteError, VerificationKey, open_note, public_of, sign, split

PRIVATE = Ed25519PrivateKey.generate()
KEY = public_of(PRIVATE, "twofold/tests")
TEXT = "twofold/tests/generation/0\n5\n"


def test_a_note_is_read_by_its_key() -> None:
    assert open_note(sign(TEXT, PRIVATE), KEY) == TEXT


def test_the_key_is_spelt_as_signed_note_does() -> None:
    """The verifier key in the documentation of Go's golang.org/x/mod/sumdb/note."""
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert str(VerificationKey.parse(text)) == text
    assert VerificationKey.parse(str(KEY)) == KEY
    with pytest.raises(NoteError):
        VerificationKey.parse(text.replace("c74f", "c74e"))


@pytest.mark.parametrize(
    "note",
    [
        "", "\n\n", TEXT, sign(TEXT, Ed25519PrivateKey.generate()),
        sign(TEXT, PRIVATE).replace("\n5\n", "\n6\n"),
        sign(TEXT, PRIVATE).replace("tests/generation/0", "tests/generation/1"),
        sign(TEXT, PRIVATE)[:-1], sign("other/tests/g/0\n", PRIVATE),
        sign(TEXT + "x" * 5_000 + "\n", PRIVATE),
    ],
)  # fmt: skip
def test_anything_else_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        open_note(note, KEY)


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AAAA", "twofold/tests+x+y"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(NoteError):
        VerificationKey.parse(text)


def test_a_file_of_notes() -> None:
    notes = [sign(TEXT, PRIVATE), sign(TEXT.replace("5", "6"), PRIVATE)]
    assert split("".join(notes)) == notes
