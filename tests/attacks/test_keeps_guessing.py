"""Somebody who has all the time in the world: tries are counted, slowed down, and ended."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from services.demo.flows import AHEAD, accepted, new_password
from services.demo.people import Somebody
from tests.attacks.system import NO_THANKS, SETUP_NEW, Attacked, until

WRONG = "guessed-many-times-1"


class TestCounters:
    @pytest.mark.row(21)
    def test_are_one_over_all_sessions_spellings_and_servers(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        spellings = [
            sam.username, sam.username.upper(), sam.username.title(),
            sam.username.replace("s", "ſ"),
            "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in sam.username),
        ]  # fmt: skip
        statuses = []
        for number in range(9):
            alias = Somebody("", "", spellings[number % 5], "", WRONG)
            statuses.append(world.login(alias, web=world.auths[number % 3]).status)
        assert 429 in statuses[4:], statuses
        world.login(sam).expect(429, "too-many-attempts")

    @pytest.mark.row(20, 21)
    def test_are_not_raced_past(self, world: Attacked, organisation: str) -> None:
        sam = world.join(organisation)
        world.log.mark()

        def attempt(number: int) -> int:
            return world.login(sam, password=new_password(), web=world.auths[number % 3]).status

        with ThreadPoolExecutor(24) as pool:
            statuses = list(pool.map(attempt, range(24)))
        counted = {record["_place"] for record in world.counted(sam.guesses, "login_attempted")}
        # Whoever is told "wrong" has been counted.
        assert 0 < statuses.count(401) <= len(counted), statuses
        world.login(sam).expect(429, "too-many-attempts")
        # And none counted before the pause was over that those before it had brought about.
        records = world.records("twofold.events")
        at = sorted(one.at for one in records if (one.partition, one.offset) in counted)
        waited = [after - before for before, after in pairwise(at)]
        assert len(waited) >= 3
        for seconds, between in zip((2, 5, 10, 10), waited[3:], strict=False):
            assert between >= 1000 * seconds, waited

    @pytest.mark.row(23)
    def test_a_flood_of_guesses_keeps_a_known_device_out_of_nothing(
        self, world: Attacked, organisation: str
    ) -> None:
        sam, other = world.join(organisation), world.join(organisation)
        eve = world.join(organisation, choice=SETUP_NEW)
        device = world.logged_in(sam).body["device"]
        theirs = world.logged_in(other).body["device"]
        world.log.mark()

        def guess(number: int) -> None:
            who = (sam, eve)[number % 2]
            world.login(who, password=WRONG, code="000000", web=world.auths[number % 3])

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(guess, range(24)))
        world.login(sam).expect(429)
        world.login(sam, device=theirs).expect(429)  # Somebody else's device gives no lane.
        world.login(sam, device=device).expect(200, outcome="logged_in")
        world.log.expect_none(eve.codes, "login_attempted")

    @pytest.mark.row(24)
    def test_a_wrong_code_after_the_right_password_is_told_to_the_owner(
        self, world: Attacked, organisation: str
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        tries = [world.login(eve, code=eve.app.wrong()) for _ in range(3)]  # Two may be slips.
        without = world.login(eve, password=WRONG).expect(401, "invalid-credentials")
        assert all((one.status, one.body) == (401, without.body) for one in tries)
        told = "Subject: Wrong codes with your password"
        until(lambda: any(told in mail for mail in world.mails(eve)))

    @pytest.mark.thorough
    @pytest.mark.row(22, 32)
    def test_a_hundred_wrong_codes_suspend_and_an_administrator_lets_in_again(
        self, world: Attacked, organisation: str
    ) -> None:
        ada = world.administrator(organisation)
        eve = world.join(organisation, choice=SETUP_NEW)
        ticket = world.ask_for_link(eve)
        world.log.mark()
        for _ in range(100):
            world.login(eve, code=eve.app.wrong(), web=world.ahead).expect(401)
        world.open(ticket, eve.app.lasting_code()).expect(401, "wrong-code")
        world.log.expect(eve.codes, "code_checked", outcome="authenticator_suspended")
        good = eve.app.code(AHEAD)
        world.login(eve, code=good, web=world.ahead).expect(401, "invalid-credentials")
        world.log.expect(eve.codes, "login_attempted", outcome="authenticator_suspended")
        world.login(eve, web=world.ahead).expect(401)
        world.log.expect_none(eve.account, "two_factor_disabled")
        accepted(world.command(ada, "disable_two_factor", world.about(eve)))
        world.login(eve, web=world.ahead).expect(200, two_factor="off")

    @pytest.mark.thorough
    @pytest.mark.row(23)
    def test_a_hundred_wrong_passwords_leave_known_devices_and_the_reset(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        known = world.logged_in(sam).body["device"]
        for _ in range(100):
            world.login(sam, password=WRONG, web=world.ahead).expect(401)
        world.login(sam, web=world.ahead).expect(401, "invalid-credentials")
        world.login(sam, device=known).expect(200, outcome="logged_in")
        change = world.open(world.ask_for_link(sam)).expect(200).body["change"]
        world.finish(sam, change, NO_THANKS).expect(200)
        world.login(sam, web=world.ahead).expect(200)
