"""What a new password must be."""

import time

import pytest

from services.auth.domain.errors import PasswordRefusedError
from services.auth.domain.passwords import (
    LONGEST,
    SHORTEST,
    check_new_password,
    could_be_password,
    normalised,
)

KNOWN = (
    "sam.smith",
    "sam.smith@acme.example",
    "sam.smith",
    "Sam Smith",
    "Acme Lettings",
    "agentOS",
)
BAD = [
    "passwordpassword", "Password1Password1", "P@ssw0rdP@ssw0rd", "passw0rd12345678",
    "password123456789", "123456789012345", "111111111111111", "000000000000000",
    "qwertyuiopasdfg", "qwerty123456789", "asdfghjklasdfghjkl", "zxcvbnmzxcvbnmzx",
    "1q2w3e4r5t6y7u8i", "abcdefghijklmno", "abcabcabcabcabc", "aaaaaaaaaaaaaaa",
    "letmeinletmeinletmein", "letmein123456789", "iloveyouiloveyou", "welcomewelcome1",
    "sunshinesunshine", "administrator123", "football football", "superman superman",
    "monkeymonkeymonkey", "dragondragon1234", "trustno1trustno1", "changemechangeme",
    "SummerSummer2024", "liverpool12345678", "baseballbaseball", "agentosagentos1",
    "correct horse battery staple", "correcthorsebatterystaple", "sam.smith.sam.smith",
    "The quick brown fox jumps over the lazy dog",
    "SamSmith SamSmith", "smith-sam-smith-sam", "acmelettings2024!", "Acme Lettings 123",
    "samsmith@acme.example", "agentOS.sam.smith",
]  # fmt: skip
GOOD = [
    "amber-barley-cobalt-drift-4711", "vT9#kq2!mZx7Lw4", "my aunt keeps eleven quiet geese",
    "Åsa äter ärtsoppa på torsdagar", "съешь ещё этих мягких булок",
    "sam smith flies kites over Hull at noon",
]  # fmt: skip


def test_what_no_password_can_be_is_not_normalised() -> None:
    """A row of combining marks is put in order by the square of its length."""
    began = time.perf_counter()
    long = "a" + "\u0301" * 30_000 + "\u0323" * 30_000
    assert normalised(long) == long
    assert not could_be_password(long)
    assert time.perf_counter() - began < 0.1
    assert normalised("a\u0301" * 128) == "á" * 128


@pytest.mark.parametrize("password", BAD)
def test_known_bad_ones_are_refused(password: str) -> None:
    assert len(password) >= SHORTEST
    with pytest.raises(PasswordRefusedError) as refused:
        check_new_password(password, known_words=KNOWN)
    assert refused.value.reason
    assert password not in refused.value.reason


@pytest.mark.parametrize("password", GOOD)
def test_good_ones_are_taken(password: str) -> None:
    check_new_password(password, known_words=KNOWN)


def test_eight_characters_must_be_of_ones_own() -> None:
    check_new_password("Acme Lettings vT9#kq2!", known_words=KNOWN)
    with pytest.raises(PasswordRefusedError, match="mostly your name or company"):
        check_new_password("Acme Lettings vT9#kq2", known_words=KNOWN)


@pytest.mark.parametrize(
    ("password", "known"),
    [
        ("lettings lettings lettings", "let.lettings"),
        ("lee-ann-lee-ann-lee-ann", "ann.lee"),
        ("acme acme acme acme", "Acme"),
    ],
)
def test_a_short_name_a_part_of_one_and_one_within_another_are_known(
    password: str, known: str
) -> None:
    with pytest.raises(PasswordRefusedError, match="mostly your name or company"):
        check_new_password(password, known_words=[known])


def test_what_is_known_of_somebody_is_easy_to_guess_in_any_disguise() -> None:
    password = "5zcz3brz35zyn w0lk0wyj5k1"
    check_new_password(password, known_words=KNOWN)
    with pytest.raises(PasswordRefusedError, match="tried first"):
        check_new_password(password, known_words=["Szczebrzeszyn Wolkowyjski"])


@pytest.mark.parametrize(("length", "taken"), [(14, False), (15, True), (128, True), (129, False)])
def test_length_is_counted_in_characters(length: int, *, taken: bool) -> None:
    password = ("vT9#kq2!mZ é7Lw4 oak" * 7)[:length]
    assert len(password) == length
    if taken:
        check_new_password(password, known_words=())
        return
    with pytest.raises(PasswordRefusedError):
        check_new_password(password, known_words=())


@pytest.mark.parametrize("character", ["\n", "\t", "\u200b", "\u202e", "\x7f", "\ue000"])
def test_what_cannot_be_seen_is_refused(character: str) -> None:
    password = f"vT9#kq2!mZ{character}x7Lw4oak"
    assert not could_be_password(password)
    with pytest.raises(PasswordRefusedError, match="seen and typed"):
        check_new_password(password, known_words=())


def test_composed_and_decomposed_are_one_password_and_nothing_else_is() -> None:
    assert normalised("Zu\u0308rich") == normalised("Z\u00fcrich")
    assert normalised(" Ｚurich ") == " Ｚurich "


def test_what_is_too_long_to_be_one_is_not_worth_hashing() -> None:
    assert could_be_password("x" * LONGEST)
    assert not could_be_password("x" * (LONGEST + 1))


def test_one_made_to_be_slow_is_judged_in_bounded_time() -> None:
    """Every symbol that can be read as a letter, over and over: it took zxcvbn seconds."""
    slow = ("4@8({[<369&#!1/|0$5+7%2" * 6)[:LONGEST]
    began = time.thread_time()
    check_new_password(slow, known_words=KNOWN)
    assert time.thread_time() - began < 0.5
