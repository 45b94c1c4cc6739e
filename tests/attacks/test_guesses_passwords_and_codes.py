"""Somebody who tries passwords and codes until one fits, on every server at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product
from uuid import uuid4

import pyotp
import pytest

from services.demo.flows import AHEAD, accepted
from services.demo.people import STEP_S, Somebody
from tests.attacks.system import NO_THANKS, SETUP_NEW, Attacked

WRONG = "guessed-many-times-1"
SAME = {"X-Request-Id": "the-same"}
STRANGE_DIGITS = {
    "full-width": 0xFF10,
    "Arabic-Indic": 0x0660,
    "mathematical": 0x1D7CE,
    "superscript-like": 0x2080,
    "Devanagari": 0x0966,
}


def mandatory(world: Attacked, organisation_id: str) -> None:
    data = {"organisation_id": organisation_id, "mandatory": True, "reason": "Decided."}
    accepted(world.operator.send("set_two_factor_policy", data))


def code_at(somebody: Somebody, steps: int, ahead: timedelta = timedelta(0)) -> str:
    """The code of the present time-step, or of one before or after; by the clock *ahead*."""
    totp = pyotp.TOTP(somebody.app._totp.secret)
    return totp.generate_otp(int(time.time() + ahead.total_seconds()) // STEP_S + steps)


def early_in_step(within_s: float = 18) -> None:
    """Wait until what is said of the present step stays true for a while."""
    left = STEP_S - time.time() % STEP_S
    if left < STEP_S - within_s:
        time.sleep(left + 0.05)


@pytest.mark.quick
class TestTheTruthTable:
    """Password × code × enrolled × mandatory."""

    @pytest.mark.row(2, 3, 10, 28)
    def test_one_cell_of_each_opens(self, world: Attacked) -> None:
        optional, forced = world.organisation("Optional"), world.organisation("Mandatory")
        # Two people a row, so that nobody fails often enough to be paused.
        people = {
            (enrolled, must): [
                world.join(
                    forced if must else optional, choice=SETUP_NEW if enrolled else NO_THANKS
                )
                for _ in range(2)
            ]
            for enrolled, must in product((False, True), repeat=2)
        }
        mandatory(world, forced)
        for (enrolled, must), two in people.items():
            told: dict[str, str] = {}
            good = [one.app.lasting_code() if enrolled else "123456" for one in two]
            for password, code in product(("wrong", "right"), ("none", "wrong", "right")):
                knows = password == "right"
                somebody = two[knows]
                given = somebody.password if knows else WRONG
                wrong = somebody.app.wrong() if enrolled else "000000"
                said = {"none": None, "wrong": wrong, "right": good[knows]}[code]
                answer = world.login(somebody, password=given, code=said)
                told[f"{password} password, {code} code"] = str(
                    answer.body.get("outcome", answer.problem)
                )
            opens = "link_sent" if must else "logged_in"
            expected = dict.fromkeys(told, "invalid-credentials")
            for code in ("right",) if enrolled else ("none", "wrong", "right"):
                expected[f"right password, {code} code"] = "logged_in" if enrolled else opens
            assert told == expected, (enrolled, must)

    @pytest.mark.row(2)
    def test_every_other_cell_is_the_same_to_the_byte(
        self, world: Attacked, organisation: str
    ) -> None:
        sam, eve = world.join(organisation), world.join(organisation, choice=SETUP_NEW)
        nobody = Somebody(organisation, "", f"nobody.{uuid4()}", "", WRONG)
        gone = world.join(organisation, choice=SETUP_NEW)
        used = world.join(organisation, choice=SETUP_NEW)
        accepted(world.operator.send("deactivate_staff", world.about(gone)))
        code = used.app.code()
        world.login(used, code=code).expect(200)
        tries = {
            "unknown": (nobody, WRONG, "123456"),
            "wrong password": (sam, WRONG, None),
            "wrong password, good code": (eve, WRONG, eve.app.lasting_code()),
            "no code": (eve, eve.password, None),
            "wrong code": (eve, eve.password, eve.app.wrong()),
            "used code": (used, used.password, code),
            "deactivated": (gone, gone.password, gone.app.lasting_code()),
        }
        seen = {}
        for cause, (who, password, given) in tries.items():
            started = world.auth.post("/api/login/start", {"username": who.username})
            body = {"login": started.body["login"], "password": password}
            body |= {"code": given} if given else {}
            answer = world.auths[0].send("POST", "/api/login/finish", json=body, headers=SAME)
            heads = [(k, v) for k, v in answer.headers.items() if k != "date"]
            seen[cause] = (answer.status_code, answer.content, heads)
        assert all(one == seen["unknown"] for one in seen.values()), seen
        assert seen["unknown"][0] == 401

    @pytest.mark.row(1)
    def test_the_first_screen_is_the_same_for_eight_classes(
        self, world: Attacked, organisation: str
    ) -> None:
        sam, eve = world.join(organisation), world.join(organisation, choice=SETUP_NEW)
        names = [
            sam.username, eve.username, sam.username.upper(), f"nobody.{uuid4()}", "x",
            "名前", "nobody" * 50, "<script>alert(1)</script>",
        ]  # fmt: skip
        answers = [
            world.auths[0].send("POST", "/api/login/start", json={"username": n}, headers=SAME)
            for n in names
        ]
        assert {answer.status_code for answer in answers} == {200}
        assert len({len(answer.content) for answer in answers}) == 1
        heads = {str([(k, v) for k, v in a.headers.items() if k != "date"]) for a in answers}
        assert len(heads) == 1


class TestCodes:
    @pytest.mark.row(17)
    @pytest.mark.parametrize(
        ("steps", "good"), [(-3, False), (-2, False), (-1, True), (0, True), (1, False), (2, False)]
    )
    def test_of_two_time_steps_alone(
        self, world: Attacked, organisation: str, steps: int, *, good: bool
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        # Her first code burned its own step and those before; further back needs another's clock.
        early_in_step()
        code = code_at(eve, steps)
        burned = int(time.time()) // STEP_S + steps <= eve.app.last
        answer = world.login(eve, code=code)
        if good and burned:
            answer.expect(401, "invalid-credentials")
        else:
            answer.expect(200 if good else 401)

    @pytest.mark.row(17)
    def test_the_step_before_is_good_where_nothing_burned_it(
        self, world: Attacked, organisation: str
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        early_in_step()
        for steps in (-3, -2, 1, 2):
            refused = world.login(eve, code=code_at(eve, steps, AHEAD), web=world.ahead)
            refused.expect(401, "invalid-credentials")
        before = code_at(eve, -1, AHEAD)
        world.login(eve, code=before, web=world.ahead).expect(200, outcome="logged_in")

    @pytest.mark.row(18)
    def test_are_six_ascii_digits(self, world: Attacked, organisation: str) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        code = code_at(eve, 0, AHEAD)
        tries = [
            code.translate({ord("0") + n: first + n for n in range(10)})
            for first in STRANGE_DIGITS.values()
        ]
        tries += [f"{code}\n", f" {code}", f"{code[:3]} {code[3:]}", code[:5], f"0{code}", ""]
        # A number that its parts spell: "⑫" is one character that NFKC makes two of.
        tries += [chr(0x2460 + int(code[:1]) - 1) + code[1:] if code[0] != "0" else "⑫" + code[2:]]
        for one in tries:
            world.login(eve, code=one, web=world.ahead).expect(401, "invalid-credentials")
        # Good for this step and the next: it was the spelling.
        world.login(eve, code=code, web=world.ahead).expect(200, outcome="logged_in")
        refused = world.auths[0].send(
            "POST", "/api/login/finish",
            json={"login": "x", "password": eve.password, "code": int(code)},
        )  # fmt: skip
        assert refused.status_code == 422

    @pytest.mark.quick
    @pytest.mark.row(19, 20, 37)
    def test_one_sent_fifty_times_at_once_to_three_servers_opens_once(
        self, world: Attacked, organisation: str
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        webs = world.auths
        logins = [
            web.post("/api/login/start", {"username": eve.username}).body["login"]
            for web in (webs[n % 3] for n in range(50))
        ]
        code = eve.app.lasting_code()
        world.log.mark()

        def attempt(number: int) -> int:
            body = {"login": logins[number], "password": eve.password, "code": code}
            return webs[number % 3].post("/api/login/finish", body).status

        with ThreadPoolExecutor(50) as pool:
            statuses = list(pool.map(attempt, range(50)))
        assert statuses.count(200) == 1, statuses
        assert set(statuses) <= {200, 401, 429, 503}, statuses
        world.log.expect(eve.codes, "login_attempted", outcome="succeeded")

    @pytest.mark.row(19)
    def test_one_counts_once_whatever_it_is_for(self, world: Attacked, organisation: str) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        ticket = world.ask_for_link(eve)
        first = next(iter(pyotp.TOTP(eve.app._totp.secret).generate_otp(n) for n in [eve.app.last]))
        world.login(eve, code=first).expect(401, "invalid-credentials")  # It confirmed the setup.
        code = eve.app.code()
        session = world.login(eve, code=code).expect(200).body["session"]
        body = {"password": eve.password, "code": code}
        world.auths[1].post("/api/step-up", body, session).expect(401)
        world.open(ticket, code, web=world.auths[2]).expect(401, "wrong-code")
        world.login(eve, code=code, web=world.auths[1]).expect(401, "invalid-credentials")
