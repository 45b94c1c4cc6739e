"""Somebody who overloads, kills and slows what runs, to get by while it is down."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from services.demo.flows import AHEAD, accepted
from tests.attacks.system import SETUP_NEW, Attacked, beside, resident_mib, until

WRONG = "guessed-many-times-1"
HASHED = "twofold_hashing_seconds_count"


class TestOverload:
    @pytest.mark.thorough
    @pytest.mark.row(8)
    def test_two_hundred_logins_at_once_stay_within_memory(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        pid = world.processes["auth-c"].pid
        before = resident_mib(pid)
        web = world.auths[2]

        def attempt(number: int) -> int:
            who = sam.username if number == 0 else f"nobody.{number}"
            started = web.post("/api/login/start", {"username": who}).body["login"]
            return web.post("/api/login/finish", {"login": started, "password": WRONG}).status

        with ThreadPoolExecutor(200) as pool:
            statuses = list(pool.map(attempt, range(200)))
        assert set(statuses) <= {401, 503}, set(statuses)
        assert statuses.count(401) >= 20, statuses  # Of what is turned away nothing is hashed.
        assert resident_mib(pid) < before + 200, (before, resident_mib(pid))
        world.login(sam, web=web).expect(200, outcome="logged_in")

    @pytest.mark.row(5, 8)
    def test_long_passwords_cost_no_more_than_others(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        web = world.auths[0]
        started = web.post("/api/login/start", {"username": sam.username}).body["login"]
        before = world.metric(HASHED)
        huge = web.send(
            "POST", "/api/login/finish", json={"login": started, "password": "x" * 1_000_000}
        )
        assert huge.status_code == 413
        assert world.metric(HASHED) == before
        long = web.post("/api/login/finish", {"login": started, "password": "x" * 1_000})
        long.expect(401, "invalid-credentials")
        assert world.metric(HASHED) == before + 1  # Nor less: it is recorded as any other try is.


class TestCommands:
    @pytest.mark.row(61)
    def test_one_administrator_s_flood_holds_up_no_other_organisation(
        self, world: Attacked, organisation: str
    ) -> None:
        """They stand in one line: it would be as long as whoever sends fastest wants it to be."""
        ada, sam = world.administrator(organisation), world.invite(organisation)
        neighbour = world.organisation("Next in Line")
        while beside(neighbour) != beside(organisation):
            neighbour = world.organisation("Next in Line")
        bob, ned = world.administrator(neighbour), world.invite(neighbour)
        over, answers = threading.Event(), list[int]()

        def flood(_: int) -> None:
            body = {"type": "reactivate_staff", "data": world.about(sam)}
            while not over.is_set():
                answers.append(world.staff.post("/api/commands", body, ada.session).status)

        with ThreadPoolExecutor(24) as pool:
            flooding = [pool.submit(flood, n) for n in range(24)]
            until(lambda: len(answers) > 300, 60)
            began = time.monotonic()
            try:
                accepted(world.command(bob, "deactivate_staff", world.about(ned)))
            finally:
                over.set()
            waited = time.monotonic() - began
            for one in flooding:
                one.result()
        assert set(answers) <= {202, 503}, set(answers)
        assert waited < 5, waited


class TestCrashes:
    @pytest.mark.row(20)
    def test_a_guess_is_counted_though_its_server_dies(
        self, world: Attacked, organisation: str
    ) -> None:
        """Killed with tries in the air: what was answered "wrong" stands."""
        eve, web = world.join(organisation, choice=SETUP_NEW), world.auths[2]
        told: list[int] = []
        world.log.mark()

        def attempt(_: int) -> None:
            with contextlib.suppress(httpx.TransportError):
                told.append(world.login(eve, code=eve.app.wrong(), web=web).status)

        process = world.processes["auth-c"]
        with ThreadPoolExecutor(6) as pool:
            tries = [pool.submit(attempt, n) for n in range(12)]
            until(lambda: 401 in told)
            process.kill()
            for one in tries:
                one.result()
        process.start()
        process.wait_for_url(f"{web.url}/health/ready", timeout=60)
        assert set(told) <= {401, 429, 503}
        assert 0 < told.count(401) <= len(world.counted(eve.codes, "login_attempted"))
        assert len(told) < len(tries), "it died too late to cut anybody off"

    @pytest.mark.row(37)
    def test_a_stale_projection_lets_nobody_in_twice_and_answers_no_lie(
        self, world: Attacked, organisation: str
    ) -> None:
        """While the projector is frozen, services read what was: none of their decisions counts."""
        ada, eve = world.administrator(organisation), world.join(organisation, choice=SETUP_NEW)
        code = eve.app.lasting_code()
        freezing = world.processes["projections"]
        freezing.pause()
        answers: list[int] = []
        try:
            threads = [
                threading.Thread(
                    target=lambda n=n: answers.append(
                        world.login(eve, code=code, web=world.auths[n]).status
                    )
                )
                for n in range(3)
            ]
            for thread in threads:
                thread.start()
            time.sleep(3)
            assert 200 not in answers, "answered before it counts"
        finally:
            freezing.resume()
        for thread in threads:
            thread.join(90)
        # To each of them the code was one that nobody had used.
        assert len(answers) == 3
        assert answers.count(200) == 1, answers
        # A deactivation that was decided meanwhile is obeyed at once when it counts.
        accepted(world.command(ada, "deactivate_staff", world.about(eve)))
        world.login(eve, code=eve.app.code(AHEAD), web=world.ahead).expect(401)

    @pytest.mark.thorough
    @pytest.mark.row(37)
    def test_under_load_a_slowed_projector_makes_no_wrong_decision(
        self, world: Attacked, organisation: str
    ) -> None:
        people = [world.join(organisation, choice=SETUP_NEW) for _ in range(4)]
        codes = [one.app.lasting_code() for one in people]
        stop = threading.Event()
        slowed = world.processes["projections"]

        def stutter() -> None:
            while not stop.is_set():
                slowed.pause()
                time.sleep(0.3)
                slowed.resume()
                time.sleep(0.2)

        stuttering = threading.Thread(target=stutter)
        stuttering.start()
        try:
            with ThreadPoolExecutor(12) as pool:
                statuses = list(
                    pool.map(
                        lambda n: (
                            n % 4,
                            world.login(
                                people[n % 4], code=codes[n % 4], web=world.auths[n % 3]
                            ).status,
                        ),
                        range(24),
                    )
                )
        finally:
            stop.set()
            stuttering.join()
            slowed.resume()
        opened = [who for who, status in statuses if status == 200]
        assert opened
        assert len(opened) == len(set(opened)), statuses


@pytest.mark.row(58)
def test_mail_down_delays_mail_alone(world: Attacked, organisation: str) -> None:
    """The mail server is a part of the staff process here: both are away, logins go on."""
    sam = world.join(organisation)
    process = world.processes["staff"]
    process.kill()
    try:
        world.login(sam).expect(200, outcome="logged_in")
        world.auth.post("/api/password-resets", {"username": sam.username}).expect(202)
    finally:
        process.start()
        process.wait_for_url(f"{world.staff.url}/health/ready", timeout=60)
    world.open(world.link(sam)).expect(200)
