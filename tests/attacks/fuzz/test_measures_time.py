"""
Somebody with a stopwatch: who exists, who has 2FA, who is paused or deactivated?

Every answer is measured on the running system, the classes interleaved. A pair of classes counts as
told apart where Mann–Whitney's U, after Holm's correction, says so *and* their medians differ by
more than what a row of the checklist allows, 5 ms.
"""

import json
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from infra.local.ports import free_port
from infra.local.processes import Process
from services.demo.flows import accepted
from services.demo.people import Somebody
from tests.attacks.fuzz import timing
from tests.attacks.system import SETUP_NEW, Attacked, Recorded

pytestmark = [pytest.mark.attacks, pytest.mark.thorough]

GAP_MS = 5.0
SURE = 0.001
SAMPLES = 38

TRIES = 19
WRONG = "wrong-wrong-wrong-wrong-1"


def test_the_statistics_see_what_is_there_and_nothing_else() -> None:
    dice = random.Random(1)
    noise = [[dice.gauss(100, 10) for _ in range(300)] for _ in range(3)]
    same = {"a": noise[0], "b": noise[1]}
    assert timing.compared(same)[0].p > 0.01
    slower = same | {"c": [value + 5 for value in noise[2]]}
    worst = timing.compared(slower)[0]
    assert worst.p < SURE
    assert "c" in {worst.one, worst.other}
    assert timing.mann_whitney(range(20), range(20)) > 0.99
    assert timing.mann_whitney(range(20), range(20, 40)) < 1e-6


@pytest.fixture(scope="module")
def samples() -> int:
    """How many a class: TWOFOLD_TIMING_SAMPLES=300 for the full measurement."""
    return int(os.environ.get("TWOFOLD_TIMING_SAMPLES", SAMPLES))


@dataclass(frozen=True, slots=True)
class Ahead:
    """
    Auth services whose clocks are a few minutes ahead.

    Attributes:
        measured: No pause of fewer than 20 failed logins lasts so long; a code-side one of 15
            minutes does.
        pausing: Only that of 30 wrong codes lasts so long, and a session does too.
    """

    measured: Recorded
    pausing: Recorded


@pytest.fixture(scope="module")
def ahead(world: Attacked) -> Iterator[Ahead]:
    """Give auth services of their own, whose answers are nobody else's."""
    wanted = {free_port(): timedelta(minutes=6), free_port(): timedelta(minutes=14)}
    process = Process(
        "auth-timed",
        [
            sys.executable, "-m", "tests.attacks.process",
            *(f"auth:{port}:{by.total_seconds():.0f}" for port, by in wanted.items()),
        ],
        log=world.folder / "auth-timed.log",
        env=world.processes["auth"].env,
        cwd=Path.cwd(),
    )  # fmt: skip
    process.start()
    urls = [f"http://127.0.0.1:{port}" for port in wanted]
    webs = [Recorded(url, []) for url in urls]
    try:
        for url in urls:
            process.wait_for_url(f"{url}/health/ready", timeout=60)
        yield Ahead(*webs)
    finally:
        for web in webs:
            web.close()
        process.stop()


class TestLogins:
    @pytest.mark.row(1, 2, 3, 4)
    def test_take_as_long_whoever_it_is_and_whatever_was_wrong(
        self, world: Attacked, ahead: Ahead, samples: int
    ) -> None:
        people = _People(world, ahead.measured, -(-samples // TRIES))
        unknown = [f"nobody.{number:04d}" for number in range(people.count)]
        off, on, deactivated, gone_on, tried, paused = [
            people.made(enrolled=enrolled) for enrolled in (False, True, False, True, True, True)
        ]
        for somebody in (*deactivated, *gone_on):
            accepted(world.operator.send("deactivate_staff", world.about(somebody)))
        for somebody in paused:
            people.pause(somebody, ahead.pausing)

        def wrong(group: Sequence[Somebody]) -> Callable[[int], float]:
            return lambda number: people.login(group[number // TRIES].username, WRONG)

        def right(group: Sequence[Somebody]) -> Callable[[int], float]:
            return lambda number: people.login(
                group[number // TRIES].username, group[number // TRIES].password
            )

        def stranger(number: int) -> float:
            return people.login(unknown[number // TRIES], WRONG)

        classes: dict[str, Callable[[int], float]] = {
            "unknown username": stranger,
            "2FA off, wrong password": wrong(off),
            "2FA on, wrong password": wrong(on),
            "2FA on, right password, wrong code": right(tried),
            "codes paused, right password": right(paused),
            "deactivated, right password": right(deactivated),
            "deactivated, 2FA on, wrong": wrong(gone_on),
        }
        taken = timing.interleaved(classes, samples, random.Random(1))
        _show_and_judge("POST /api/login/finish, 401", taken)
        # The classes were what they are called.
        outcomes = people.outcomes()
        for group, outcome in (
            (off, "wrong_password"), (on, "wrong_password"), (tried, "wrong_code"),
            (paused, "codes_paused"), (deactivated, "deactivated"), (gone_on, "wrong_password"),
        ):  # fmt: skip
            found = sum((outcomes[one.staff_id] for one in group), Counter[str]())
            assert found[outcome] == samples, (outcome, found)

    @pytest.mark.row(1, 3)
    def test_that_are_paused_take_as_long_whoever_it_is(
        self, world: Attacked, samples: int
    ) -> None:
        people = _People(world, world.auths[0], 1)
        (off,), (on,) = people.made(enrolled=False), people.made(enrolled=True)
        names = {
            "unknown username": "nobody.at.all",
            "2FA off": off.username,
            "2FA on": on.username,
        }
        for name in names.values():
            for auth, tries in ((world.later, 20), (world.auths[0], 1)):
                for _ in range(tries):
                    _login(auth, name, WRONG)
        assert all(_login(world.auths[0], name, WRONG)[0] == 429 for name in names.values())

        def paused(name: str) -> Callable[[int], float]:
            return lambda _: _login(world.auths[0], name, WRONG)[1]

        classes = {kind: paused(name) for kind, name in names.items()}
        _show_and_judge(
            "POST /api/login/finish, 429", timing.interleaved(classes, samples, random.Random(2))
        )


class TestResets:
    @pytest.mark.row(1)
    def test_take_as_long_whoever_asks_and_so_does_what_is_asked_next(
        self, world: Attacked, samples: int
    ) -> None:
        """What goes on after the answer could slow the next one, and tell by that."""
        people = _People(world, world.ahead, 1)
        (off,), (on,), (gone,) = [people.made(enrolled=which) for which in (False, True, False)]
        accepted(world.operator.send("deactivate_staff", world.about(gone)))
        names = {
            "unknown username": "nobody.at.all", "2FA off": off.username, "2FA on": on.username,
            "deactivated": gone.username,
        }  # fmt: skip
        asked: dict[str, list[float]] = {name: [] for name in names}
        following: dict[str, list[float]] = {name: [] for name in names}

        def ask(kind: str) -> Callable[[int], float]:
            def measured(_number: int) -> float:
                body = {"username": names[kind]}
                first = _timed(lambda: world.ahead.post("/api/password-resets", body).expect(202))
                then = _timed(lambda: world.ahead.get("/api/session").expect(401))
                then += _timed(lambda: world.ahead.get("/api/session").expect(401))
                asked[kind].append(first)
                following[kind].append(then)
                time.sleep(0.05)  # So that one's work doesn't fall into another's time.
                return first

            return measured

        timing.interleaved({kind: ask(kind) for kind in names}, samples, random.Random(3))
        _show_and_judge("POST /api/password-resets, 202", asked)
        _show_and_judge("two calls right after it", following)


class _People:
    """People to fail as, and how."""

    def __init__(self, world: Attacked, auth: Recorded, count: int) -> None:
        self._world, self._auth, self.count = world, auth, count
        self._organisation = world.organisation("Timed Estates")

    def made(self, *, enrolled: bool) -> list[Somebody]:
        """So many people who have a password."""
        how = {"choice": SETUP_NEW} if enrolled else {}
        return [self._world.join(self._organisation, **how) for _ in range(self.count)]

    def pause(self, somebody: Somebody, web: Recorded) -> None:
        """Their codes, for 15 minutes: 30 wrong ones in a row, none of them a failed login."""
        code = somebody.app.code(timedelta(minutes=14))
        session = self._world.login(somebody, code=code, web=web).expect(200).body["session"]
        body = {"password": somebody.password, "code": somebody.app.wrong()}
        for _ in range(30):
            web.post("/api/step-up", body, session).expect(401, "invalid-credentials")

    def login(self, username: str, password: str) -> float:
        """Milliseconds of a refusal."""
        status, took = _login(self._auth, username, password)
        assert status == 401, (status, username)
        return took

    def outcomes(self) -> dict[str, Counter[str]]:
        """Outcomes of login attempts by person, as the history has them."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for record in self._world.records("twofold.events"):
            told = json.loads(record.value or b"{}")
            if ".login_attempted." in told["type"]:
                found[told["subject"].rpartition("/")[2]][told["data"]["outcome"]] += 1
        return found


def _login(auth: Recorded, username: str, password: str) -> tuple[int, float]:
    start = auth.post("/api/login/start", {"username": username}).body
    body = {"login": start["login"], "password": password, "code": "000000"}
    began = time.perf_counter()
    answer = auth.post("/api/login/finish", body)
    return answer.status, (time.perf_counter() - began) * 1000


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _show_and_judge(title: str, taken: timing.Samples) -> None:
    print("\n".join(timing.told(title, taken)))  # noqa: T201
    apart = [pair for pair in timing.compared(taken) if pair.p < SURE and pair.gap_ms > GAP_MS]
    assert not apart, apart
