"""Somebody who reads another's e-mail, and has no authenticator of theirs."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.demo.flows import AHEAD, accepted, new_password
from services.demo.people import Somebody
from services.demo.world import Answer
from tests.attacks.system import CHOICES, KEEP, NO_THANKS, SETUP_NEW, Attacked

LOOKED_AT_S = 1.5
"""A wish for a link is answered first, and looked at within half a second."""

OFFERED = {
    (False, False): {NO_THANKS, SETUP_NEW},
    (False, True): {SETUP_NEW},
    (True, False): {NO_THANKS, KEEP, SETUP_NEW},
    (True, True): {KEEP, SETUP_NEW},
}


def somebody_in(world: Attacked, *, enrolled: bool, mandatory: bool) -> Somebody:
    """In an organisation of their own."""
    organisation = world.organisation("Mailed Estates")
    made = world.join(organisation, choice=SETUP_NEW if enrolled else NO_THANKS)
    if mandatory:
        data = {"organisation_id": organisation, "mandatory": True, "reason": "Decided."}
        accepted(world.operator.send("set_two_factor_policy", data))
    return made


class TestTheResetMatrix:
    @pytest.mark.quick
    @pytest.mark.row(13)
    @pytest.mark.parametrize("mandatory", [False, True])
    def test_the_link_alone_changes_nothing_of_who_is_enrolled(
        self, world: Attacked, *, mandatory: bool
    ) -> None:
        eve = somebody_in(world, enrolled=True, mandatory=mandatory)
        ticket = world.ask_for_link(eve)
        world.log.mark()
        refused = world.open(ticket).expect(403, "code-required")
        assert "options" not in refused.body
        for choice in CHOICES:  # The link's ticket is no opened change, whatever is chosen.
            body = {"change": ticket, "password": new_password(), "choice": choice}
            world.auth.post("/api/password-changes/finish", body).expect(410, "ticket-dead")
        world.auth.post("/api/password-changes/authenticator", {"change": ticket}).expect(410)
        for number in range(5):
            world.open(ticket, eve.app.wrong(), web=world.auths[number % 3]).expect(401)
        good = eve.app.lasting_code()
        world.open(ticket, good).expect(410, "ticket-dead")
        for kind in ("password_set", "two_factor_enrolled", "two_factor_disabled"):
            world.log.expect_none(eve.account, kind)
        # The login's codes are counted apart: five of its own would make it wait now.
        world.login(eve, code=good).expect(200, two_factor="on")

    @pytest.mark.row(13, 20)
    def test_five_wrong_codes_kill_it_however_many_race(
        self, world: Attacked, organisation: str
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        ticket, wrong = world.ask_for_link(eve), eve.app.wrong()
        world.log.mark()
        with ThreadPoolExecutor(15) as pool:
            tries = pool.map(lambda n: world.open(ticket, wrong, world.auths[n % 3]), range(15))
            statuses = [answer.status for answer in tries]
        assert statuses.count(401) == 5, statuses
        assert set(statuses) <= {401, 410, 503}, statuses
        world.log.expect(eve.links, "password_link_killed")

    @pytest.mark.row(14)
    @pytest.mark.parametrize(("enrolled", "mandatory"), OFFERED)
    def test_the_server_decides_what_may_be_chosen(
        self, world: Attacked, *, enrolled: bool, mandatory: bool
    ) -> None:
        offered = OFFERED[enrolled, mandatory]
        eve = somebody_in(world, enrolled=enrolled, mandatory=mandatory)
        code = eve.app.code() if enrolled else None
        opened = world.open(world.ask_for_link(eve), code).expect(200).body
        assert set(opened["options"]) == offered
        world.log.mark()
        forged = dict.fromkeys(set(CHOICES) - offered, (409, "choice-unavailable"))
        forged |= dict.fromkeys(("", "NO_THANKS", "disable"), (422, "invalid"))
        for choice, refusal in forged.items():
            body = {"change": opened["change"], "password": new_password(), "choice": choice}
            world.auth.post("/api/password-changes/finish", body).expect(*refusal)
        world.log.expect_none(eve.account, "password_set")
        for choice in sorted(offered)[-1:]:
            world.finish(eve, opened["change"], choice).expect(200)


class TestLinks:
    @pytest.mark.row(11)
    def test_work_once_the_newest_alone_and_hold_256_bits(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        world.log.mark()
        first, second = world.ask_for_link(sam), world.ask_for_link(sam)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", ticket) for ticket in (first, second))
        issued = world.log.expect(sam.links, "password_link_issued", cause="asked_for")
        assert re.fullmatch("[0-9a-f]{64}", issued["data"]["ticket_digest"])
        world.open(first).expect(410, "ticket-dead")
        for spoilt in (second[:-1], second + "A", second.swapcase(), "A" * 43, ""):
            assert world.open(spoilt).status in {410, 422}
        left_open = world.open(second).expect(200).body["change"]
        change = world.open(second).expect(200).body["change"]
        world.finish(sam, change, NO_THANKS).expect(200)
        world.open(second).expect(410, "ticket-dead")
        world.finish(sam, left_open, NO_THANKS).expect(410, "ticket-dead")

    @pytest.mark.row(11)
    def test_die_after_half_an_hour(self, world: Attacked, organisation: str) -> None:
        sam = world.join(organisation)
        ticket = world.ask_for_link(sam)
        world.open(ticket, web=world.later).expect(410, "ticket-dead")
        change = world.open(ticket).expect(200).body["change"]
        world.finish(sam, change, NO_THANKS, web=world.later).expect(410, "ticket-dead")
        world.finish(sam, change, NO_THANKS).expect(200)

    @pytest.mark.row(11, 15)
    def test_die_with_any_change_of_the_account(self, world: Attacked, organisation: str) -> None:
        ada = world.administrator(organisation)
        for command in ("require_password_reset", "deactivate_staff"):
            sam = world.join(organisation)
            ticket = world.ask_for_link(sam)
            change = world.open(ticket).expect(200).body["change"]
            accepted(world.command(ada, command, world.about(sam)))
            world.open(ticket).expect(410, "ticket-dead")
            world.finish(sam, change, NO_THANKS).expect(410, "ticket-dead")

    @pytest.mark.row(11)
    def test_die_with_the_address_that_they_were_sent_to(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        ticket = world.ask_for_link(sam)
        change = world.open(ticket).expect(200).body["change"]
        moved = {"organisation_id": organisation, "staff_id": sam.staff_id}
        moved["email"] = f"new.{sam.email}"
        accepted(world.operator.send("change_staff_details", moved))
        world.open(ticket).expect(410, "ticket-dead")
        world.finish(sam, change, NO_THANKS).expect(410, "ticket-dead")

    @pytest.mark.row(12)
    def test_are_spent_by_no_scanner_and_name_the_configured_host(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        world.auths[0].send(
            "POST", "/api/password-resets", json={"username": sam.username},
            headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example",
                     "Forwarded": "host=evil.example", "X-Forwarded-Proto": "ftp"},
        )  # fmt: skip
        ticket = world.link(sam)
        mails = [mail.replace("=\r\n", "").replace("=\n", "") for mail in world.mails(sam)]
        assert any(f"{world.auth.url}/password/{ticket}" in mail for mail in mails)
        assert not any("evil" in mail for mail in mails)
        world.log.mark()
        for method in ("GET", "HEAD", "OPTIONS", "GET"):
            assert world.auths[0].send(method, f"/password/{ticket}").status_code < 500
        jar = world.auths[0].send("GET", f"/password/{ticket}").cookies
        for path in ("/password", "/password/code", "/password/new"):
            cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
            world.auths[0].send("GET", path, headers={"Cookie": cookie})
        world.log.catch_up()
        told = [r for r in world.log.records[world.log.marked :] if sam.staff_id in str(r)]
        assert not told
        world.open(ticket).expect(200)

    @pytest.mark.row(11)
    def test_who_asks_for_anothers_again_and_again_leaves_a_good_one(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        world.log.mark()
        first, second = [world.ask_for_link(sam) for _ in range(2)]
        for web in world.auths * 2:
            web.post("/api/password-resets", {"username": sam.username}).expect(202)
        world.log.expect_none(sam.links, "password_link_killed", for_s=LOOKED_AT_S)
        assert len(list(world.log.new(sam.links, "password_link_issued"))) == 2
        world.open(first).expect(410, "ticket-dead")
        world.open(second).expect(200)
        # Half an hour later it has lapsed: there is one more to be had, and it outlives the hour.
        world.open(second, web=world.later).expect(410, "ticket-dead")
        for _ in range(3):
            world.later.post("/api/password-resets", {"username": sam.username}).expect(202)
        third = world.link(sam)
        world.open(third, web=world.later).expect(200)
        world.log.expect_none(sam.links, "password_link_killed", for_s=LOOKED_AT_S)
        assert len(list(world.log.new(sam.links, "password_link_issued"))) == 3


class TestTheCurrentPassword:
    @pytest.mark.row(20)
    def test_is_guessed_at_once_a_link_however_many_race(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        current, finish = sam.password, "/api/password-changes/finish"
        change = world.open(world.ask_for_link(sam)).expect(200).body["change"]
        shown = world.auth.post("/api/password-changes/authenticator", {"change": change})
        body = {"change": change, "choice": SETUP_NEW,
                "authenticator": shown.expect(200).body["authenticator"]}  # fmt: skip
        # Whatever sets nothing compares nothing.
        for password in (current, new_password()):
            answer = world.auth.post(finish, body | {"password": password, "code": "000000"})
            answer.expect(422, "wrong-code")
        body = {"change": change, "choice": NO_THANKS}
        guesses = [new_password() for _ in range(15)]
        guesses[7] = current
        world.log.mark()

        def guess(number: int) -> Answer:
            return world.auths[number % 3].post(finish, body | {"password": guesses[number]})

        with ThreadPoolExecutor(15) as pool:
            answers = list(pool.map(guess, range(15)))
        statuses = [answer.status for answer in answers]
        assert statuses.count(200) == 1, statuses
        assert set(statuses) <= {200, 410, 422, 503}, statuses
        first = world.log.expect(sam.account, "password_set")
        if 422 in statuses:  # The right one happened to be the first.
            told = world.log.expect(sam.codes, "password_repeated")
            assert told["_place"] < first["_place"]
        world.login(sam, password=current).expect(401, "invalid-credentials")


class TestAfterAReset:
    @pytest.mark.row(15)
    def test_nobody_is_logged_in_and_all_that_was_open_is_dead(
        self, world: Attacked, organisation: str
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        session = world.logged_in(eve).body["session"]
        half = world.ahead.post("/api/login/start", {"username": eve.username}).body["login"]
        old = eve.password
        change = world.open(world.ask_for_link(eve), eve.app.code()).expect(200).body["change"]
        done = world.finish(eve, change, KEEP).expect(200, outcome="password_set")
        assert not {"session", "token"} & done.body.keys()
        assert "set-cookie" not in done.headers
        for path in ("/api/session", "/home"):  # It is told from strangers, and opens nothing.
            known = f"__Host-device={done.body['device']}; __Host-session={done.body['device']}"
            assert world.auths[0].send("GET", path, headers={"Cookie": known}).status_code != 200
        world.auth.get("/api/session", done.body["device"]).expect(401)
        world.auth.get("/api/session", session).expect(401)
        world.auths[1].get("/api/session", session).expect(401)
        # A half-login carries nothing that was proved before: with it, too, all is asked for anew.
        # At the second process, for which the next code needn't be waited for.
        body = {"login": half, "password": old, "code": eve.app.code(AHEAD)}
        world.ahead.post("/api/login/finish", body).expect(401, "invalid-credentials")
        world.ahead.post("/api/login/finish", body | {"password": eve.password}).expect(200)
