"""Signed notes."""

from base64 import b64encode
from pathlib import Path

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
        # Under another name, without the dash, and what JSON can hold but no file of text can.
        sign(TEXT, PRIVATE).replace("\u2014 twofold/tests/generation/0", "\u2014 other"),
        sign(TEXT, PRIVATE).replace("\u2014 ", "- "),
        sign(TEXT, PRIVATE).replace("\n5\n", "\n\ud800\n"),
        sign(TEXT, PRIVATE).replace("generation/0", "generation/\ud800"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        open_note(note, KEY)


def test_signatures_of_others_stand_beside_ours() -> None:
    """Signed-note lets witnesses sign as well; another key of ours signs under the same name."""
    text, _, ours = sign(TEXT, PRIVATE).partition("\n\n")
    theirs = [sign(TEXT, Ed25519PrivateKey.generate()).partition("\n\n")[2] for _ in range(2)]
    beside = f"{text}\n\n\u2014 witness.example AAAA\n{theirs[0]}{ours}{theirs[1]}"
    assert open_note(beside, KEY) == TEXT


def test_a_key_may_hold_a_plus() -> None:
    key = VerificationKey("twofold/tests", b"\0\0" + bytes.fromhex("fbefbe") * 10)
    assert str(key).count("+") > 2
    assert VerificationKey.parse(str(key)) == key


def test_a_key_of_another_kind_or_length_is_none() -> None:
    name, hashed, _ = str(KEY).split("+", 2)
    other = f"{name}+{hashed}+{b64encode(bytes([2]) + KEY.public).decode()}"
    for text in (other, str(VerificationKey(name, KEY.public + b"x"))):
        with pytest.raises(NoteError, match="of another kind"):
            VerificationKey.parse(text)


def test_a_key_is_given_as_it_is_or_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a+key"
    path.write_text(f"{KEY}\n")
    for given in (str(KEY), str(path)):
        assert VerificationKey.given(given) == KEY
    with pytest.raises(NoteError, match="No verification key can be read"):
        VerificationKey.given(str(tmp_path / "other"))


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AAAA", "twofold/tests+x+y"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(NoteError):
        VerificationKey.parse(text)


def test_a_file_of_notes() -> None:
    notes = [sign(TEXT, PRIVATE), sign(TEXT.replace("5", "6"), PRIVATE)]
    assert split("".join(notes)) == notes


def test_one_that_was_cut_off_hides_no_other() -> None:
    """A crash in the midst of appending: the next run begins a line of its own."""
    whole, other = sign(TEXT, PRIVATE), sign(TEXT.replace("/0\n", "/1\n"), PRIVATE)
    for next_one in (whole, other):
        for length in range(1, len(whole)):
            assert split(f"{whole[:length]}\n{next_one}")[-1] == next_one, length
