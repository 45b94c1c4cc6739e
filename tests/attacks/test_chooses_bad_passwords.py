"""Somebody who would set a password that can be guessed; and what passwords may be."""

import unicodedata

import pytest

from services.demo.flows import new_password
from tests.attacks.system import NO_THANKS, Attacked

GOOD_15 = "zq7-Kx2mVb9!pLr"


@pytest.mark.row(5, 6)
def test_short_long_known_and_personal_ones_are_refused_with_the_reason(
    world: Attacked, organisation: str
) -> None:
    sam = world.join(organisation)
    current = sam.password
    change = world.open(world.ask_for_link(sam)).expect(200).body["change"]
    refused = {
        GOOD_15[:14]: "15 characters or more",
        "äöüßéèêñçøåæœð": "15 characters or more",  # Of two bytes each.
        "zq7-Kx2mVb9!pLr8" * 8 + "x": "128 characters or fewer",
        "passwordpassword1": "tried first",
        "qwertyuiopasdfghjkl": "tried first",
        "aaaaaaaaaaaaaaaaaaaa": "tried first",
        f"{sam.username}{sam.username}": "your name or company",
        "attacked estates": "your name or company",
        sam.email: "your name or company",
        current: "the current password",
        GOOD_15 + "\x07x": "can be seen and typed",
    }
    world.log.mark()
    for password, reason in refused.items():
        answer = world.finish(sam, change, NO_THANKS, password)
        answer.expect(422, "password-refused")
        assert reason in answer.body["reason"], (password, answer)
        assert password not in str(answer.body)
    world.log.expect_none(sam.account, "password_set")
    world.finish(sam, change, NO_THANKS, GOOD_15).expect(200)
    world.login(sam, password=GOOD_15).expect(200)


@pytest.mark.row(5)
@pytest.mark.parametrize(
    "password",
    [
        "zq7-Kx2mVb9!pLr8" * 8,
        "only lower case words of a poem",
        "  leading and trailing, kept  ",
        "ピ" * 3 + "ガラス玉演戯の名人は笑う",
        "💚🦊🐢🌵🍉🎈🚲🛶⛺🧭🗿🪁🧩🎻🥁🪐",
    ],
    ids=["128 characters", "one kind alone", "spaces", "Japanese", "emoji"],
)
def test_whatever_else_is_long_enough_is_taken_and_is_itself_alone(
    world: Attacked, organisation: str, password: str
) -> None:
    sam = world.invite(organisation)
    change = world.open(world.link(sam)).expect(200).body["change"]
    # Typed on another keyboard, the same characters may come decomposed.
    world.finish(sam, change, NO_THANKS, unicodedata.normalize("NFD", password)).expect(200)
    world.login(sam, password=unicodedata.normalize("NFC", password)).expect(200)
    for other in {password.strip(), password.upper(), password[:-1], f"{password}x"} - {password}:
        assert world.login(sam, password=other or new_password(), web=world.ahead).status == 401
