"""Whole flows over HTTP, on a real broker and a real database with the projector running."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from events.log.kafka import KafkaLog
from events.log.writer import Writer
from events.staff import CodeChecked, LoginAttempted, PasswordRehashed, PasswordSet
from events.vault.sealing import unseal
from services.auth.adapters.passwords import Argon2Passwords
from tests.services.auth.stage import Stage
from tests.services.auth.web_client import BETTER, GOOD, Somebody, Web
from tests.services.projections.worlds import PARTITIONS

KEY = "a-key-that-nobody-else-has-1"


class TestLogin:
    async def test_password_alone_where_2fa_is_off(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        answer = (await web.login(sam)).expect(200, outcome="logged_in", two_factor="off")
        session = await web.get("/api/session", token=answer.body["session"])
        session.expect(200, staff_id=sam.staff_id, username=sam.username, two_factor="off")
        assert "two_factor_mandatory_from" not in session.body
        assert answer.headers["cache-control"] == "no-store"

    async def test_password_and_code_where_it_is_on(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        code = real.code(eve)
        (await web.login(eve, code=code)).expect(200, outcome="logged_in", two_factor="on")
        succeeded = (await real.facts(eve.codes))[-1]
        assert (succeeded.outcome, succeeded.time_step) == ("succeeded", eve.last_step)
        (await web.login(eve, code=code)).expect(401, "invalid-credentials")
        assert (await real.facts(eve.codes))[-1].outcome == "code_already_used"

    async def test_the_position_is_where_the_event_stands(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        answer = await web.login(sam)
        (attempt,) = await real.counted(sam.codes)
        assert answer.body["position"] == str(attempt.position)
        assert attempt.actor == f"staff/{sam.staff_id}"

    async def test_of_50_tries_with_one_code_on_two_servers_one_succeeds(self, real: Stage) -> None:
        world = real.world
        assert world is not None
        async with KafkaLog(world.kafka, world.events, PARTITIONS) as log:
            other = Writer(log, world.fates, world.signer)
            webs = [real.open(), real.open(real.ground(events=other))]
            eve = await real.person(await real.organisation(), enrolled=True)
            code = real.code(eve)
            tries = (webs[n % 2].login(eve, code=code) for n in range(50))
            answers = await asyncio.gather(*tries)
        statuses = Counter(answer.status for answer in answers)
        assert statuses[200] == 1, statuses
        assert set(statuses) <= {200, 401, 429, 503}
        outcomes = Counter(fact.outcome for fact in await real.facts(eve.codes))
        assert outcomes["succeeded"] == 1


class TestIdempotency:
    async def test_the_same_request_gets_the_same_session(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        login, code = await web.start(eve.username), real.code(eve)
        first = await web.login(eve, code=code, key=KEY, login=login)
        again = await web.login(eve, code=code, key=KEY, login=login)
        first.expect(200, outcome="logged_in")
        again.expect(200, session=first.body["session"], position=first.body["position"])
        assert len(await real.facts(eve.codes)) == 1

    async def test_it_proves_its_password_again(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        login = await web.start(sam.username)
        (await web.login(sam, key=KEY, login=login)).expect(200)
        wrong = await web.login(sam, BETTER, key=KEY, login=login)
        wrong.expect(401, "invalid-credentials")
        assert [fact.outcome for fact in await real.facts(sam.guesses)] == ["wrong_password"]

    async def test_it_revives_no_session_that_ended(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        login = await web.start(sam.username)
        first = await web.login(sam, key=KEY, login=login)
        await web.post("/api/logout", {}, token=first.body["session"])
        (await web.login(sam, key=KEY, login=login)).expect(401, "invalid-credentials")

    async def test_a_failed_try_counts_once_whoever_it_names(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        for username in (sam.username, "nobody.at.all"):
            login = await web.start(username)
            for _ in range(6):
                again = await web.login(username, BETTER, key=KEY, login=login)
                again.expect(401, "invalid-credentials")
        assert len(await real.facts(sam.guesses)) == 1

    async def test_a_password_that_was_set_is_answered_again(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        change = (await web.open(await real.link(sam))).body["change"]
        first = await web.finish(change, "no_thanks", key=KEY)
        again = await web.finish(change, "no_thanks", key=KEY)
        first.expect(200, outcome="password_set")
        assert again.body == first.body
        (await web.finish(change, "no_thanks", GOOD, key=KEY)).expect(410, "ticket-dead")


class TestHashingAgain:
    async def test_two_processes_that_hash_by_different_settings(self, real: Stage) -> None:
        """As while a new version is rolled out: the stronger hash stays, whoever logs in where."""
        stronger = Argon2Passwords(real.ring.derive("pepper"), memory_kib=128)
        weak, strong = real.open(), real.open(real.ground(passwords=stronger))
        sam = await real.person(await real.organisation())
        sessions = []
        for web in (weak, strong, weak, strong, weak):
            answer = (await web.login(sam)).expect(200, outcome="logged_in")
            sessions.append(answer.body["session"])
            await web.service.logins.drain()
        facts = await real.facts(sam.account)
        assert [type(fact) for fact in facts[1:]] == [PasswordSet, PasswordRehashed]
        for session in sessions:
            (await weak.get("/api/session", token=session)).expect(200)
        entry = await real.vault.get(facts[-1].credential)
        key, owner = real.ring.encryption, sam.staff_id
        stored = unseal(entry, entry_id=entry.id, kind="password", owner=owner, key=key).decode()
        assert not stronger.is_weaker(stored)
        stronger.close()


class TestExpiredPassword:
    async def test_both_factors_then_the_change_then_a_login(self, real: Stage) -> None:
        web, org = real.open(), await real.organisation()
        eve = await real.person(org, enrolled=True)
        await real.expiry(org, 30)
        real.ahead = timedelta(days=31)
        (await web.login(eve, code=real.wrong_code(eve))).expect(401, "invalid-credentials")
        answer = await web.login(eve, code=real.code(eve))
        answer.expect(200, outcome="password_change_required", reason="expired")
        opened = await web.open(answer.body["change"])
        opened.expect(200, options=["no_thanks", "keep_existing", "setup_new"])
        done = await web.finish(opened.body["change"], "keep_existing")
        done.expect(200, outcome="password_set", two_factor="on")
        assert "session" not in done.body
        await real.expiry(org, None)
        (await web.login(eve, BETTER, real.code(eve))).expect(200, outcome="logged_in")


class TestMandatory:
    async def test_who_has_none_gets_a_link_and_must_set_it_up(self, real: Stage) -> None:
        web, org = real.open(), await real.organisation()
        sam = await real.person(org)
        before = (await web.login(sam)).body["session"]
        await real.policy(org)
        (await web.get("/api/session", token=before)).expect(401, "invalid-credentials")
        sent = await web.login(sam)
        sent.expect(200, outcome="link_sent", reason="two_factor_mandatory")
        opened = await web.open(await real.mailed(sam))
        opened.expect(200, options=["setup_new"])
        change = opened.body["change"]
        refused = await web.finish(change, "no_thanks")
        refused.expect(409, "choice-unavailable", options=["setup_new"])
        await _set_up(real, sam, change)
        (await web.login(sam, BETTER, real.code(sam))).expect(200, two_factor="on")

    async def test_until_its_start_people_are_told(self, real: Stage) -> None:
        web, org = real.open(), await real.organisation()
        sam = await real.person(org)
        starts = (real.now() + timedelta(days=3)).replace(microsecond=0)
        await real.policy(org, effective=starts)
        answer = await web.login(sam)
        told = starts.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        answer.expect(200, outcome="logged_in", two_factor_mandatory_from=told)
        session = await web.get("/api/session", token=answer.body["session"])
        session.expect(200, two_factor_mandatory_from=told)


class TestLinks:
    async def test_the_answer_to_asking_is_the_same_for_everybody(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        answers = [
            await web.post(
                "/api/password-resets", {"username": name}, headers={"X-Request-Id": "r"}
            )
            for name in (sam.username, "nobody.here")
        ]
        assert [answer.status for answer in answers] == [202, 202]
        assert answers[0].content == answers[1].content
        assert answers[0].headers == answers[1].headers
        await web.service.resets.drain()
        assert (await real.facts(sam.links))[-1].cause == "asked_for"

    async def test_the_newest_alone_works_and_works_once(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        first, second, third = [await _asked_for(real, web, sam) for _ in range(3)]
        assert first != second
        assert second == third  # The newest is good: no third one takes its place.
        (await web.open(first)).expect(410, "ticket-dead")
        change = (await web.open(second)).body["change"]
        (await web.finish(change, "no_thanks")).expect(200)
        (await web.open(second)).expect(410, "ticket-dead")
        (await web.finish(change, "no_thanks", GOOD)).expect(410, "ticket-dead")

    async def test_who_kills_two_by_mistyping_has_a_third_at_once_and_no_fourth(
        self, real: Stage
    ) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        tickets = []
        for _ in range(3):
            tickets.append(await _asked_for(real, web, eve))
            for _ in range(5):
                (await web.open(tickets[-1], real.wrong_code(eve))).expect(401, "wrong-code")
        assert len(set(tickets)) == 3
        assert await _asked_for(real, web, eve) == tickets[-1]
        real.ahead = timedelta(hours=1)
        again = await _asked_for(real, web, eve)
        (await web.open(again, real.code(eve))).expect(200)

    async def test_a_code_comes_first_and_five_wrong_ones_kill_it(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        ticket = await real.link(eve)
        (await web.open(ticket)).expect(403, "code-required")
        for _ in range(5):
            (await web.open(ticket, real.wrong_code(eve))).expect(401, "wrong-code")
        (await web.open(ticket, real.code(eve))).expect(410, "ticket-dead")
        # They are no login's codes: the next login isn't paused.
        (await web.login(eve, code=real.code(eve))).expect(200, outcome="logged_in")

    async def test_a_code_given_by_link_is_burned_for_logins_too(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        code = real.code(eve)
        (await web.open(await real.link(eve), code)).expect(200)
        (await web.login(eve, code=code)).expect(401, "invalid-credentials")
        (await web.open(await real.mailed(eve), code)).expect(401, "wrong-code")

    async def test_it_dies_after_half_an_hour(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        ticket = await real.link(sam)
        real.ahead = timedelta(minutes=31)
        (await web.open(ticket)).expect(410, "ticket-dead")


class TestSettingUp:
    async def test_the_first_code_is_burned_and_old_codes_are_void(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        old, code = eve.seed, real.code(eve)
        change = (await web.open(await real.link(eve), code)).body["change"]
        used = await _set_up(real, eve, change)
        (await web.login(eve, BETTER, used)).expect(401, "invalid-credentials")
        real.ahead += timedelta(seconds=30)
        (await web.login(eve, BETTER, real.code_of(old, real.step()))).expect(
            401, "invalid-credentials"
        )
        (await web.login(eve, BETTER, real.code(eve))).expect(200, two_factor="on")

    async def test_nothing_changes_before_a_right_code(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        change = (await web.open(await real.link(eve), real.code(eve))).body["change"]
        shown = (await web.show(change)).body
        wrong = await web.finish(
            change, "setup_new", authenticator=shown["authenticator"], code=real.wrong_code(eve)
        )
        wrong.expect(422, "wrong-code")
        assert wrong.body["reason"]
        (await web.login(eve, code=real.code(eve))).expect(200, outcome="logged_in")

    async def test_only_the_newest_one_shown_can_be_confirmed(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        change = (await web.open(await real.link(sam))).body["change"]
        first = (await web.show(change)).body
        await web.show(change)
        code = real.code_of(real.seed_of(first["secret"]), real.step())
        late = await web.finish(
            change, "setup_new", authenticator=first["authenticator"], code=code
        )
        late.expect(410, "ticket-dead")


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
        world = real.world
        assert world is not None
        async with KafkaLog(world.kafka, world.events, PARTITIONS) as log:
            other = Writer(log, world.fates, world.signer)
            webs = [real.open(), real.open(real.ground(events=other))]
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
        world = real.world
        assert world is not None
        async with KafkaLog(world.kafka, world.events, PARTITIONS) as log:
            other = Writer(log, world.fates, world.signer)
            webs = [real.open(), real.open(real.ground(events=other))]
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


class TestPauses:
    async def test_failed_logins_pause_a_username_whether_it_exists_or_not(
        self, real: Stage
    ) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        for username in (sam.username, "nobody.to.be.found"):
            for _ in range(5):
                real.ahead += timedelta(seconds=10)
                (await web.login(username, BETTER)).expect(401, "invalid-credentials")
            real.ahead -= timedelta(seconds=50)
            paused = await web.login(username, GOOD)
            paused.expect(429, "too-many-attempts")
            assert 1 <= int(paused.headers["retry-after"]) <= 5
        assert len(await real.facts(sam.guesses)) == 5
        real.ahead += timedelta(seconds=6)
        (await web.login(sam)).expect(200, outcome="logged_in")

    async def test_nobody_pauses_a_step_up_on_a_known_device(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        body = (await web.login(eve, code=real.code(eve))).body
        for _ in range(8):  # The pause is half a minute by then: longer than this takes anywhere.
            real.ahead += timedelta(minutes=1)
            (await web.login(eve, BETTER)).expect(401, "invalid-credentials")
        real.ahead -= timedelta(minutes=8)
        given = {"password": GOOD, "code": real.code(eve)}
        paused = await web.post("/api/step-up", given, token=body["session"])
        paused.expect(429, "too-many-attempts")
        given["device"] = body["device"]
        (await web.post("/api/step-up", given, token=body["session"])).expect(200)

    async def test_a_known_device_has_a_lane_of_its_own(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        device = (await web.login(sam)).body["device"]
        for _ in range(5):
            real.ahead += timedelta(seconds=10)
            await web.login(sam, BETTER)
        real.ahead -= timedelta(seconds=50)
        (await web.login(sam)).expect(429, "too-many-attempts")
        (await web.login(sam, device=device)).expect(200, outcome="logged_in")
        eve = await real.person(sam.organisation_id)
        theirs = await web.login(eve, BETTER, device=device)
        theirs.expect(401, "invalid-credentials")
        assert (await real.facts(eve.guesses))[0].device is None


async def _set_up(stage: Stage, somebody: Somebody, change: str) -> str:
    """Set up a new authenticator in an opened change; the code that confirmed it."""
    web = stage.open()
    shown = (await web.show(change)).expect(200).body
    somebody.seed, somebody.last_step = stage.seed_of(shown["secret"]), -1
    code = stage.code(somebody)
    done = await web.finish(change, "setup_new", authenticator=shown["authenticator"], code=code)
    done.expect(200, outcome="password_set", two_factor="on")
    return code


async def _asked_for(stage: Stage, web: Web, somebody: Somebody) -> str:
    """The newest link's ticket, once one more was asked for."""
    (await web.post("/api/password-resets", {"username": somebody.username})).expect(202)
    await web.service.resets.drain()
    return await stage.mailed(somebody)
