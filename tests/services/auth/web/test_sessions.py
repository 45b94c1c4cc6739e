"""Sessions over HTTP: how they end, and how they are renewed, on the real servers."""

import asyncio
from typing import Any

from events.staff import CodeChecked, LoginAttempted
from tests.services.auth.stage import Stage
from tests.services.auth.web_client import BETTER, GOOD, Somebody, Web

KEY = "a-key-that-nobody-else-has-1"


class TestSessions:
    async def test_logging_out_ends_one_or_all(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        tokens = [(await web.login(sam)).body["session"] for _ in range(3)]
        assert (await web.post("/api/logout", token=tokens[0])).status == 204
        (await web.get("/api/session", token=tokens[0])).expect(401, "invalid-credentials")
        (await web.get("/api/session", token=tokens[1])).expect(200)
        assert (await web.post("/api/logout", {"everywhere": True}, token=tokens[1])).status == 204
        for token in tokens:
            (await web.get("/api/session", token=token)).expect(401, "invalid-credentials")
        (await web.login(sam)).expect(200, outcome="logged_in")

    async def test_they_die_with_a_new_password(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        token = (await web.login(sam)).body["session"]
        change = (await web.open(await real.link(sam))).body["change"]
        (await web.finish(change, "no_thanks")).expect(200, two_factor="off")
        (await web.get("/api/session", token=token)).expect(401, "invalid-credentials")
        (await web.login(sam)).expect(401, "invalid-credentials")
        (await web.login(sam, BETTER)).expect(200, outcome="logged_in")

    async def test_a_step_up_proves_both_factors_afresh(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        token = (await web.login(eve, code=real.code(eve))).body["session"]
        body = {"password": GOOD, "code": real.code(eve)}
        done = await web.post("/api/step-up", body, token=token)
        assert done.expect(200).body["fresh_until"]
        again = await web.post("/api/step-up", body, token=token)
        again.expect(401, "invalid-credentials")
        checks = [fact for fact in await real.facts(eve.codes) if isinstance(fact, CodeChecked)]
        assert [fact.outcome for fact in checks] == ["accepted", "code_already_used"]
        wrong = {"password": BETTER, "code": real.code(eve)}
        (await web.post("/api/step-up", wrong, token=token)).expect(401, "invalid-credentials")
        (guess,) = await real.facts(eve.guesses)
        assert isinstance(guess, LoginAttempted)
        assert guess.reauthentication


class TestRenewing:
    """A step-up after which the session goes on under a new token."""

    @staticmethod
    async def logged_in(real: Stage, web: Web) -> tuple[Somebody, str, dict[str, Any]]:
        """Somebody, their session's token, and the body of a step-up that renews it."""
        eve = await real.person(await real.organisation(), enrolled=True)
        token = (await web.login(eve, code=real.code(eve))).body["session"]
        return eve, token, {"password": GOOD, "code": real.code(eve), "renew": True}

    async def test_the_old_token_dies_and_the_session_goes_on(self, real: Stage) -> None:
        web = real.open()
        _, token, body = await self.logged_in(real, web)
        before = (await web.get("/api/session", token=token)).body
        done = (await web.post("/api/step-up", body, token=token)).expect(200).body
        assert done["session"] != token
        (await web.get("/api/session", token=token)).expect(401, "invalid-credentials")
        (await web.post("/api/logout", token=token)).expect(401, "invalid-credentials")
        after = (await web.get("/api/session", token=done["session"])).expect(200).body
        assert after["fresh_until"] > before["fresh_until"]
        assert (await web.post("/api/logout", token=done["session"])).status == 204
        (await web.get("/api/session", token=done["session"])).expect(401, "invalid-credentials")

    async def test_without_being_asked_to_it_renews_nothing(self, real: Stage) -> None:
        web = real.open()
        _, token, body = await self.logged_in(real, web)
        done = await web.post("/api/step-up", body | {"renew": False}, token=token)
        assert set(done.expect(200).body) == {"fresh_until"}
        (await web.get("/api/session", token=token)).expect(200)

    async def test_a_failed_one_renews_nothing(self, real: Stage) -> None:
        web = real.open()
        _, token, body = await self.logged_in(real, web)
        for wrong in ({"password": BETTER}, {"code": "000000"}):
            refused = await web.post("/api/step-up", body | wrong, token=token)
            refused.expect(401, "invalid-credentials")
        (await web.get("/api/session", token=token)).expect(200)

    async def test_the_same_request_gets_the_same_token_though_its_own_is_dead(
        self, real: Stage
    ) -> None:
        web = real.open()
        eve, token, body = await self.logged_in(real, web)
        first = await web.post("/api/step-up", body, token=token, key=KEY)
        again = await web.post("/api/step-up", body, token=token, key=KEY)
        assert again.expect(200).body["session"] == first.expect(200).body["session"]
        checks = [fact for fact in await real.facts(eve.codes) if isinstance(fact, CodeChecked)]
        assert [fact.outcome for fact in checks] == ["accepted"]
        # Nobody else's request is the same: another key, or a token of another session.
        other = await web.post("/api/step-up", body, token=token, key=f"{KEY}-other")
        other.expect(401, "invalid-credentials")
        _, elsewhere, _ = await self.logged_in(real, web)
        theirs = await web.post("/api/step-up", body, token=elsewhere, key=KEY)
        theirs.expect(401, "invalid-credentials")

    async def test_the_same_request_proves_its_password_again(self, real: Stage) -> None:
        web = real.open()
        eve, token, body = await self.logged_in(real, web)
        (await web.post("/api/step-up", body, token=token, key=KEY)).expect(200)
        wrong = await web.post("/api/step-up", body | {"password": BETTER}, token=token, key=KEY)
        wrong.expect(401, "invalid-credentials")
        assert [fact.outcome for fact in await real.facts(eve.guesses)] == ["wrong_password"]

    async def test_the_same_request_revives_no_session(self, real: Stage) -> None:
        web = real.open()
        _, token, body = await self.logged_in(real, web)
        done = await web.post("/api/step-up", body, token=token, key=KEY)
        await web.post("/api/logout", token=done.body["session"])
        again = await web.post("/api/step-up", body, token=token, key=KEY)
        again.expect(401, "invalid-credentials")

    async def test_the_logins_own_request_does_not_give_the_dead_token_again(
        self, real: Stage
    ) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        login, code = await web.start(eve.username), real.code(eve)
        first = await web.login(eve, code=code, key=KEY, login=login)
        body = {"password": GOOD, "code": real.code(eve), "renew": True}
        (await web.post("/api/step-up", body, token=first.body["session"])).expect(200)
        again = await web.login(eve, code=code, key=KEY, login=login)
        again.expect(401, "invalid-credentials")

    async def test_of_many_at_once_on_two_servers_one_renews(self, real: Stage) -> None:
        async with real.two_servers() as webs:
            eve, token, body = await self.logged_in(real, webs[0])
            answers = await asyncio.gather(
                *(
                    # One request three times over, and others: they have but one code, too.
                    webs[n % 2].post("/api/step-up", body, token=token, key=f"{KEY}-{max(n, 3)}")
                    for n in range(8)
                )
            )
        granted = {answer.body["session"] for answer in answers if answer.status == 200}
        assert len(granted) == 1, [answer.status for answer in answers]
        assert {answer.status for answer in answers} <= {200, 401, 429, 503}
        checks = [fact for fact in await real.facts(eve.codes) if isinstance(fact, CodeChecked)]
        assert [fact.outcome for fact in checks].count("accepted") == 1
        (await webs[0].get("/api/session", token=granted.pop())).expect(200)
        (await webs[1].get("/api/session", token=token)).expect(401, "invalid-credentials")

    async def test_whoever_is_told_that_they_are_logged_out_is(self, real: Stage) -> None:
        """Also where the session was renewed at that very moment, or ended by another server."""
        async with real.two_servers() as webs:
            _, token, body = await self.logged_in(real, webs[0])
            renewed, *left = await asyncio.gather(
                webs[0].post("/api/step-up", body, token=token),
                *(web.post("/api/logout", token=token) for web in webs),
            )
        assert {answer.status for answer in left} <= {204, 401}
        over = any(answer.status == 204 for answer in left)
        assert over or renewed.status == 200
        (await webs[0].get("/api/session", token=token)).expect(401, "invalid-credentials")
        if renewed.status == 200:
            after = await webs[1].get("/api/session", token=renewed.body["session"])
            assert after.status == (401 if over else 200)
