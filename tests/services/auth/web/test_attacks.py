"""What an attacker would try, over HTTP, on a real broker and a real database."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from events.facts import Draft
from events.staff import (
    CodeChecked,
    LoginAttempted,
    PasswordResetRequired,
    StaffDeactivated,
)
from tests.services.auth.stage import Stage
from tests.services.auth.web_client import BETTER, GOOD, Answer, Somebody, Web

pytestmark = pytest.mark.attacks

SEALED = "A" * 40
SAME = {"X-Request-Id": "the-same", "User-Agent": "the-same"}
CHOICES = ("no_thanks", "keep_existing", "setup_new")


class TestNobodyLearnsWhoExists:
    async def test_the_first_screen_says_the_same_for_every_username(self, real: Stage) -> None:
        web, org = real.open(), await real.organisation()
        names = [(await real.person(org)).username, "x", "nobody" * 50, "Ünïcode", "名前"]
        answers = [
            await web.post("/api/login/start", {"username": name}, headers=SAME) for name in names
        ]
        assert {len(answer.content) for answer in answers} == {len(answers[0].content)}
        assert {str(answer.headers) for answer in answers} == {str(answers[0].headers)}

    async def test_whatever_was_wrong_is_answered_with_the_same_bytes(self, real: Stage) -> None:
        web, org = real.open(), await real.organisation()
        sam, eve, used, gone, late = [
            await real.person(org, enrolled=enrolled)
            for enrolled in (False, True, True, True, True)
        ]
        none = await real.person(org, password=None)
        code = real.code(used)
        (await web.login(used, code=code)).expect(200)
        await real.write(Draft(gone.account, StaffDeactivated(reason=SEALED)))
        await _wrong_codes(real, late, 100)
        real.ahead += timedelta(hours=2)
        answers = {
            "unknown username": await web.login("nobody.here", GOOD, "123456", headers=SAME),
            "wrong password": await web.login(sam, BETTER, headers=SAME),
            "wrong password, enrolled": await web.login(eve, BETTER, real.code(eve), headers=SAME),
            "no code": await web.login(eve, headers=SAME),
            "wrong code": await web.login(eve, code=real.wrong_code(eve), headers=SAME),
            "used code": await web.login(used, code=code, headers=SAME),
            "deactivated": await web.login(gone, code=real.code(gone), headers=SAME),
            "suspended": await web.login(late, code=real.code(late), headers=SAME),
            "no password set": await web.login(none, "", headers=SAME),
            "too long to be one": await web.login(sam, "x" * 1000, headers=SAME),
        }
        for cause, answer in answers.items():
            assert answer.status == 401, cause
            assert answer.content == answers["unknown username"].content, cause
            assert answer.headers == answers["unknown username"].headers, cause

    async def test_codes_of_other_scripts_are_no_codes(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        code = real.code(eve)
        full_width = code.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
        real.ahead += timedelta(seconds=1)
        (await web.login(eve, code=full_width)).expect(401, "invalid-credentials")
        (await web.login(eve, code=f"{code}\n")).expect(401, "invalid-credentials")
        (await web.login(eve, code=code)).expect(200, outcome="logged_in")

    async def test_sessions_are_refused_with_one_answer(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        token = (await web.login(sam)).body["session"]
        await web.post("/api/logout", token=token)
        refused = [
            await web.post("/api/logout", headers={"X-Request-Id": "r"} | headers)
            for headers in (
                {},
                {"Authorization": f"Bearer {token}"},
                {"Authorization": "Bearer " + "x" * 43},
                {"Authorization": "Basic c2FtOnNhbQ=="},
                {"Cookie": f"session={token}"},
            )
        ]
        assert {answer.status for answer in refused} == {401}
        assert len({answer.content for answer in refused}) == 1
        assert len({str(answer.headers) for answer in refused}) == 1


class TestChoices:
    @pytest.mark.parametrize("choice", CHOICES)
    @pytest.mark.parametrize(
        ("enrolled", "mandatory", "offered"),
        [
            (False, False, {"no_thanks", "setup_new"}),
            (False, True, {"setup_new"}),
            (True, False, {"no_thanks", "keep_existing", "setup_new"}),
            (True, True, {"keep_existing", "setup_new"}),
        ],
    )
    async def test_the_server_decides_what_is_on_offer(
        self, real: Stage, choice: str, offered: set[str], *, enrolled: bool, mandatory: bool
    ) -> None:
        web, org = real.open(), await real.organisation()
        who = await real.person(org, enrolled=enrolled)
        code = real.code(who) if enrolled else None
        if mandatory:
            await real.policy(org)
        opened = await web.open(await real.link(who), code)
        assert set(opened.expect(200).body["options"]) == offered
        answer = await _forge(real, web, who, opened.body["change"], choice)
        if choice in offered:
            answer.expect(200, two_factor="off" if choice == "no_thanks" else "on")
        else:
            answer.expect(409, "choice-unavailable")
            assert set(answer.body["options"]) == offered
            assert len(await real.facts(who.account)) == 2 + enrolled

    async def test_an_option_is_gone_once_the_policy_is_mandatory(self, real: Stage) -> None:
        web, org = real.open(), await real.organisation()
        sam = await real.person(org)
        opened = await web.open(await real.link(sam))
        assert "no_thanks" in opened.body["options"]
        await real.policy(org)
        refused = await web.finish(opened.body["change"], "no_thanks")
        refused.expect(409, "choice-unavailable", options=["setup_new"])


class TestTickets:
    async def test_each_is_good_for_its_own_call_alone(self, real: Stage) -> None:
        web, org = real.open(), await real.organisation()
        sam, eve = await real.person(org), await real.person(org, enrolled=True)
        device = (await web.login(sam)).body["device"]
        opened = await web.open(await real.link(sam))
        shown = (await web.show(opened.body["change"])).body
        await real.expiry(org, 1)
        real.ahead = timedelta(days=2)
        expired = (await web.login(eve, code=real.code(eve))).body["change"]
        real.ahead = timedelta(0)
        tickets = {
            "login": await web.start(sam.username),
            "link": await real.mailed(sam),
            "change": opened.body["change"],
            "candidate": shown["authenticator"],
            "device": device,
            "expired": expired,
            "session": (await web.login(sam)).body["session"],
            "nonsense": "x" * 200,
        }
        calls = {
            "login/finish": ("login/finish", "login", {"password": BETTER}, {"login"}),
            "open": ("password-changes/open", "ticket", {}, {"link", "expired"}),
            "authenticator": ("password-changes/authenticator", "change", {}, {"change"}),
            "finish": (
                "password-changes/finish", "change",
                {"password": BETTER, "choice": "no_thanks"}, {"change"},
            ),
        }  # fmt: skip
        for call, (path, member, rest, good) in calls.items():
            for kind, ticket in tickets.items():
                if kind in good:
                    continue
                answer = await web.post(f"/api/{path}", {member: ticket, **rest})
                assert (answer.status, answer.problem) == (410, "ticket-dead"), (call, kind)
        for kind, ticket in tickets.items():
            if kind != "session":
                answer = await web.get("/api/session", token=ticket)
                assert answer.status == 401, kind
        forged = {"password": BETTER, "choice": "setup_new", "code": "123456"}
        for kind, ticket in tickets.items():
            if kind == "candidate":
                continue
            body = {"change": tickets["change"], "authenticator": ticket, **forged}
            answer = await web.post("/api/password-changes/finish", body)
            assert (answer.status, answer.problem) == (410, "ticket-dead"), kind

    async def test_somebody_elses_authenticator_is_refused(self, real: Stage) -> None:
        web, org = real.open(), await real.organisation()
        sam, eve = await real.person(org), await real.person(org)
        theirs = (await web.open(await real.link(eve))).body["change"]
        shown = (await web.show(theirs)).body
        own = (await web.open(await real.link(sam))).body["change"]
        answer = await web.finish(
            own, "setup_new", authenticator=shown["authenticator"], code="123456"
        )
        answer.expect(410, "ticket-dead")

    async def test_an_altered_ticket_is_dead(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        login = await web.start(sam.username)
        for altered in (login[:-1] + ("A" if login[-1] != "A" else "B"), login + "=", login[1:]):
            answer = await web.post("/api/login/finish", {"login": altered, "password": GOOD})
            answer.expect(410, "ticket-dead")
        real.ahead = timedelta(minutes=11)
        (await web.login(sam, login=login)).expect(410, "ticket-dead")

    async def test_an_opened_change_dies_with_any_other_change(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        change = (await web.open(await real.link(sam))).body["change"]
        await real.write(Draft(sam.account, PasswordResetRequired(reason=SEALED)))
        (await web.finish(change, "no_thanks")).expect(410, "ticket-dead")
        (await web.show(change)).expect(410, "ticket-dead")


class TestResetRequired:
    async def test_a_leaked_password_leads_to_the_mailbox_alone(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        await real.write(Draft(eve.account, PasswordResetRequired(reason=SEALED)))
        (await web.login(eve, code=real.wrong_code(eve))).expect(401, "invalid-credentials")
        sent = await web.login(eve, code=real.code(eve))
        sent.expect(200, outcome="link_sent", reason="reset_required")
        change = (await web.open(await real.mailed(eve), real.code(eve))).expect(200).body["change"]
        same = await web.finish(change, "keep_existing", GOOD)
        same.expect(422, "password-refused")
        (await web.finish(change, "keep_existing")).expect(200)
        (await web.login(eve, BETTER, real.code(eve))).expect(200, outcome="logged_in")


class TestGuessing:
    async def test_a_wrong_password_never_touches_the_codes(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        for _ in range(8):
            real.ahead += timedelta(minutes=5)
            await web.login(eve, BETTER, real.wrong_code(eve))
        assert await real.facts(eve.codes) == []
        (await web.login(eve, code=real.code(eve))).expect(200, outcome="logged_in")

    async def test_a_mailbox_alone_changes_no_account(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        before = await real.facts(eve.account)
        ticket = await real.link(eve)
        (await web.open(ticket)).expect(403, "code-required")
        for _ in range(6):
            await web.open(ticket, real.wrong_code(eve))
        assert await real.facts(eve.account) == before
        checks = [fact for fact in await real.facts(eve.codes) if isinstance(fact, CodeChecked)]
        assert len(checks) == 5

    async def test_a_hundred_wrong_codes_suspend_and_never_switch_off(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        before = await real.facts(eve.account)
        await _wrong_codes(real, eve, 100)
        real.ahead = timedelta(hours=5)
        (await web.login(eve, code=real.code(eve))).expect(401, "invalid-credentials")
        assert (await real.facts(eve.codes))[-1].outcome == "authenticator_suspended"
        ticket = await real.link(eve)
        for _ in range(5):
            (await web.open(ticket, real.code(eve))).expect(401, "wrong-code")
        (await web.open(ticket, real.code(eve))).expect(410, "ticket-dead")
        assert await real.facts(eve.account) == before


async def _wrong_codes(stage: Stage, somebody: Somebody, count: int) -> None:
    wrong = LoginAttempted(outcome="wrong_code", source=SEALED)
    for _ in range(0, count, 25):
        await stage.write(*(Draft(somebody.codes, wrong) for _ in range(25)))


async def _forge(stage: Stage, web: Web, who: Somebody, change: str, choice: str) -> Answer:
    """Finish with *choice*, with everything that it would need."""
    more: Mapping[str, str] = {}
    if choice == "setup_new":
        shown = (await web.show(change)).expect(200).body
        code = stage.code_of(stage.seed_of(shown["secret"]), stage.step())
        more = {"authenticator": shown["authenticator"], "code": code}
    return await web.finish(change, choice, **more)
