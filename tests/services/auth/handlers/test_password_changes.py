"""Password changes from load to answer, on a log and a vault in memory."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from events.envelope import read
from events.facts import Draft
from events.log.proposal import Signer
from events.log.writer import Writer
from events.staff import PasswordRepeated, PasswordSet, TwoFactorEnrolled
from events.vault.memory import MemoryVault
from services.auth.domain.throttle import DISCLOSED_AT_MOST
from services.auth.handlers import password_resets
from services.auth.handlers.ground import Caller
from services.auth.ports import BusyError
from tests.services.auth.handlers.meddling import CountingPasswords, MeddlingPasswords
from tests.services.auth.stage import Stage
from tests.services.auth.web_client import BETTER, GOOD, Somebody, Web

KEY = "a-key-that-nobody-else-has-2"


async def opened(stage: Stage, web: Web, *, enrolled: bool = False) -> tuple[Somebody, str]:
    who = await stage.person(await stage.organisation(), enrolled=enrolled)
    code = stage.code(who) if enrolled else None
    answer = await web.open(await stage.link(who), code)
    return who, str(answer.expect(200).body["change"])


def vault_of(stage: Stage) -> MemoryVault:
    assert isinstance(stage.vault, MemoryVault)
    return stage.vault


def another_writer(stage: Stage) -> Writer:
    """As another process has: it queues behind none of the stage's own."""
    mac = stage.ring.mac
    return Writer(stage.logs[0], stage.logs[0], Signer("twofold/tests", mac.current, mac.key, 1))


class TestFinish:
    async def test_entries_are_there_before_the_event_and_outlast_its_deadline(
        self, stage: Stage, web: Web
    ) -> None:
        who, change = await opened(stage, web)
        shown = (await web.show(change)).body
        code = stage.code_of(stage.seed_of(shown["secret"]), stage.step())
        more = {"authenticator": shown["authenticator"], "code": code}
        (await web.finish(change, "setup_new", **more)).expect(200)
        password, enrolment = (await stage.facts(who.account))[-2:]
        assert isinstance(password, PasswordSet)
        assert isinstance(enrolment, TwoFactorEnrolled)
        records = [read(one.record.value or b"") for one in stage.logs[0].judged[0]]
        deadline = next(r.deadline for r in records if r.type == PasswordSet.wire_name
                        and r.data["credential"] == password.credential)  # fmt: skip
        for entry_id in (password.credential, enrolment.authenticator):
            assert vault_of(stage).entries[entry_id].deadline >= deadline

    async def test_what_is_refused_leaves_nothing_in_the_vault(
        self, stage: Stage, web: Web
    ) -> None:
        _, change = await opened(stage, web)
        before = set(vault_of(stage).entries)
        for choice, password in (("keep_existing", BETTER), ("no_thanks", "short"),
                                 ("setup_new", BETTER)):  # fmt: skip
            assert (await web.finish(change, choice, password)).status >= 400
        assert set(vault_of(stage).entries) == before

    async def test_of_two_at_once_one_sets_the_password(self, stage: Stage, web: Web) -> None:
        who, change = await opened(stage, web)
        others = stage.open()
        answers = await asyncio.gather(
            web.finish(change, "no_thanks"), others.finish(change, "no_thanks", BETTER + "2")
        )
        assert Counter(answer.status for answer in answers) == {200: 1, 410: 1}
        sets = [f for f in await stage.facts(who.account) if isinstance(f, PasswordSet)]
        assert len(sets) == 2

    async def test_the_same_request_twice_at_once_gets_one_answer(
        self, stage: Stage, web: Web
    ) -> None:
        who, change = await opened(stage, web)
        others = stage.open()
        answers = await asyncio.gather(
            *(one.finish(change, "no_thanks", key=KEY) for one in (web, others, web))
        )
        assert [answer.status for answer in answers] == [200, 200, 200]
        # A device's ticket is sealed anew each time, and of one device.
        assert len({answer.body["position"] for answer in answers}) == 1
        (device,) = {
            stage.tickets.known_device(answer.body["device"], who.staff_id, stage.now())
            for answer in answers
        }
        assert (await stage.load(who)).person.devices == (device,)
        sets = [f for f in await stage.facts(who.account) if isinstance(f, PasswordSet)]
        assert len(sets) == 2

    async def test_a_change_dies_with_its_link(self, stage: Stage, web: Web) -> None:
        who, change = await opened(stage, web)
        await stage.link(who)
        (await web.finish(change, "no_thanks")).expect(410, "ticket-dead")

    async def test_what_a_password_alone_opened_dies_when_2fa_becomes_mandatory(
        self, stage: Stage, web: Web
    ) -> None:
        """A thief of an old password could open a change in time, and enrol a phone afterwards."""
        organisation = await stage.organisation()
        sam = await stage.person(organisation)
        await stage.expiry(organisation, 1)
        stage.ahead += timedelta(days=2)
        await stage.policy(organisation, effective=stage.now() + timedelta(minutes=5))
        expired = (await web.login(sam)).expect(200).body["change"]
        change = (await web.open(expired)).expect(200).body["change"]
        shown = (await web.show(change)).expect(200).body
        stage.ahead += timedelta(minutes=6)
        code = pyotp.TOTP(shown["secret"].replace(" ", "")).at(stage.now())
        confirmed = {"authenticator": shown["authenticator"], "code": code}
        (await web.finish(change, "setup_new", **confirmed)).expect(410, "ticket-dead")
        (await web.show(change)).expect(410, "ticket-dead")
        (await web.open(expired)).expect(410, "ticket-dead")
        (await web.login(sam)).expect(200, outcome="link_sent", reason="two_factor_mandatory")

    async def test_normalised_passwords_are_one(self, stage: Stage, web: Web) -> None:
        who, change = await opened(stage, web)
        (await web.finish(change, "no_thanks", "Zu\u0308rich-barley-cobalt-77")).expect(200)
        (await web.login(who, "Z\u00fcrich-barley-cobalt-77")).expect(200, outcome="logged_in")


class TestTheCurrentPassword:
    async def test_it_is_refused_last_and_the_change_goes_on_with_nothing_lost(
        self, stage: Stage, web: Web
    ) -> None:
        who, change = await opened(stage, web)
        shown = (await web.show(change)).body
        code = stage.code_of(stage.seed_of(shown["secret"]), stage.step())
        more = {"authenticator": shown["authenticator"], "code": code}
        before = await stage.facts(who.account)
        refused = (await web.finish(change, "setup_new", GOOD, **more)).expect(
            422, "password-refused"
        )
        assert "current password" in refused.body["reason"]
        assert await stage.facts(who.account) == before
        told = (await stage.facts(who.codes))[-1]
        assert isinstance(told, PasswordRepeated)
        (await web.finish(change, "setup_new", BETTER, **more)).expect(200, two_factor="on")

    async def test_nothing_is_told_before_everything_else_is_right(self, stage: Stage) -> None:
        passwords = CountingPasswords(stage.passwords)
        web = stage.open(stage.ground(passwords=passwords))
        _, change = await opened(stage, web)
        more = {"authenticator": (await web.show(change)).body["authenticator"], "code": "000000"}
        for choice in ("setup_new", "keep_existing"):
            current, other = [await web.finish(change, choice, p, **more) for p in (GOOD, BETTER)]
            assert (current.status, current.body) == (other.status, other.body)
        assert passwords.verified.total() == 0

    async def test_of_many_guesses_at_once_the_first_ends_the_change(self, stage: Stage) -> None:
        web = stage.open()
        who, change = await opened(stage, web)
        guesses = [*(f"{BETTER}-{n}" for n in range(9)), GOOD]
        answers = await asyncio.gather(*(web.finish(change, "no_thanks", g) for g in guesses))
        assert Counter(answer.status for answer in answers) == {200: 1, 410: 9}
        assert await stage.facts(who.codes) == []

    async def test_a_guess_that_another_server_took_first_outruns_a_right_one(
        self, stage: Stage
    ) -> None:
        who, change = await opened(stage, stage.open())
        entry = await stage.put(who, "password", b"another")
        fact = PasswordSet(credential=entry, choice="no_thanks", origin="link")
        meddling = MeddlingPasswords(stage.passwords, stage, Draft(who.account, fact))
        web = stage.open(stage.ground(passwords=meddling, events=another_writer(stage)))
        (await web.finish(change, "no_thanks", GOOD)).expect(410, "ticket-dead")
        assert await stage.facts(who.codes) == []


class TestDisclosing:
    async def test_so_many_authenticators_are_shown_by_a_link_however_often_it_is_opened(
        self, stage: Stage, web: Web
    ) -> None:
        who = await stage.person(await stage.organisation())
        ticket, change, shown = await stage.link(who), "", dict[str, Any]()
        for _ in range(DISCLOSED_AT_MOST):
            change = (await web.open(ticket)).expect(200).body["change"]
            shown = (await web.show(change)).expect(200).body
        over = (await web.show(change)).expect(410, "ticket-dead")
        assert "new link" in over.body["reason"]
        again = (await web.open(ticket)).expect(200).body["change"]
        (await web.show(again)).expect(410, "ticket-dead")
        code = stage.code_of(stage.seed_of(shown["secret"]), stage.step())
        confirmed = {"authenticator": shown["authenticator"], "code": code}
        (await web.finish(change, "setup_new", **confirmed)).expect(200)

    async def test_the_current_password_ends_it_as_well(self, stage: Stage, web: Web) -> None:
        who, change = await opened(stage, web)
        for _ in range(DISCLOSED_AT_MOST + 1):
            (await web.finish(change, "no_thanks", GOOD)).expect(422, "password-refused")
        for password in (GOOD, BETTER):
            (await web.finish(change, "no_thanks", password)).expect(410, "ticket-dead")
        new = (await web.open(await stage.link(who))).expect(200).body["change"]
        (await web.finish(new, "no_thanks")).expect(200)


class TestResets:
    async def test_the_same_request_issues_one_link(self, stage: Stage, web: Web) -> None:
        sam = await stage.person(await stage.organisation())
        for _ in range(3):
            sent = {"username": sam.username.upper()}
            (await web.post("/api/password-resets", sent, key=KEY)).expect(202)
        await web.service.resets.drain()
        assert len(await stage.facts(sam.links)) == 1

    async def test_beyond_its_queue_it_is_busy_for_whoever_filled_it(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(password_resets, "AT_ONCE", 1)
        monkeypatch.setattr(password_resets, "MOST_WAITING", 2)
        web, sam = stage.open(), await stage.person(await stage.organisation())
        for _ in range(3):
            web.service.resets.ask("nobody", _caller())
        with pytest.raises(BusyError):
            web.service.resets.ask("nobody", _caller())
        sent = {"username": "nobody"}
        answer = (await web.post("/api/password-resets", sent)).expect(503, "busy")
        assert answer.headers["retry-after"]
        web.service.resets.ask(sam.username, _caller("203.0.113.7"))
        await web.service.resets.drain()
        assert len(await stage.facts(sam.links)) == 1


class TestSessions:
    async def test_they_end_by_themselves(self, stage: Stage, web: Web) -> None:
        sam = await stage.person(await stage.organisation())
        token = (await web.login(sam)).body["session"]
        for _ in range(24):
            stage.ahead += timedelta(minutes=25)
            answer = await web.get("/api/session", token=token)
            if stage.ahead < timedelta(hours=10):
                answer.expect(200)
            else:
                answer.expect(401, "invalid-credentials")
        stage.ahead = timedelta(0)
        idle = (await web.login(sam)).body["session"]
        stage.ahead = timedelta(minutes=31)
        (await web.get("/api/session", token=idle)).expect(401, "invalid-credentials")

    async def test_a_step_up_is_fresh_for_ten_minutes(self, stage: Stage, web: Web) -> None:
        eve = await stage.person(await stage.organisation(), enrolled=True)
        token = (await web.login(eve, code=stage.code(eve))).body["session"]
        assert "fresh_until" in (await web.get("/api/session", token=token)).body
        stage.ahead += timedelta(minutes=11)
        assert "fresh_until" not in (await web.get("/api/session", token=token)).body


def _caller(address: str = "127.0.0.1") -> Caller:
    return Caller(address=address, user_agent="", request_id="r")
