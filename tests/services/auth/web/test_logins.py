"""Logins over HTTP, on a real broker and a real database with the projector running."""

import asyncio
from collections import Counter
from datetime import timedelta

from events.person import KEPT_DEVICES
from events.staff import PasswordRehashed, PasswordSet
from events.vault.sealing import unseal
from services.auth.adapters.passwords import Argon2Passwords
from tests.services.auth.stage import Stage
from tests.services.auth.web_client import BETTER, GOOD

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
        async with real.two_servers() as webs:
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

    async def test_tries_at_once_under_one_key_count_each(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        for username in (sam.username, "nobody.at.all"):
            login = await web.start(username)
            tries = [
                web.login(username, f"{BETTER} {number}", key=KEY, login=login)
                for number in range(6)
            ]
            told = [answer.status for answer in await asyncio.gather(*tries)]
            assert set(told) <= {401, 429}
            if username == sam.username:
                assert told.count(401) <= len(await real.facts(sam.guesses)), told

    async def test_step_ups_at_once_under_one_key_count_each(self, real: Stage) -> None:
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        token = (await web.login(eve, code=real.code(eve))).body["session"]
        tries = [
            web.post(
                "/api/step-up",
                {"password": f"{BETTER} {number}", "code": "000000"},
                token=token,
                key=KEY,
            )
            for number in range(6)
        ]
        told = [answer.status for answer in await asyncio.gather(*tries)]
        assert set(told) <= {401, 429}
        assert told.count(401) <= len(await real.facts(eve.guesses)), told

    async def test_a_password_that_was_set_is_answered_again(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        change = (await web.open(await real.link(sam))).body["change"]
        first = await web.finish(change, "no_thanks", key=KEY)
        again = await web.finish(change, "no_thanks", key=KEY)
        first.expect(200, outcome="password_set")
        assert again.body | {"device": first.body["device"]} == first.body
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

    async def test_a_pause_does_not_end_as_somebody_gets_the_username(self, real: Stage) -> None:
        web, org, name = real.open(), await real.organisation(), "about.to.join"
        for _ in range(8):  # The pause is half a minute by then: longer than this takes anywhere.
            real.ahead += timedelta(minutes=1)
            (await web.login(name, BETTER)).expect(401, "invalid-credentials")
        real.ahead -= timedelta(minutes=8)
        (await web.login(name, BETTER)).expect(429, "too-many-attempts")
        sam = await real.person(org, username=name)
        (await web.login(sam)).expect(429, "too-many-attempts")
        real.ahead += timedelta(minutes=1)
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

    async def test_a_reset_by_link_leads_in_however_many_fail(self, real: Stage) -> None:
        """Who has no known device has one then, and only once the change is finished."""
        web, eve = real.open(), await real.person(await real.organisation(), enrolled=True)
        for _ in range(15):  # The pause is five minutes by then, and the next codes come within.
            real.ahead += timedelta(minutes=1)
            (await web.login(eve, BETTER)).expect(401, "invalid-credentials")
        real.ahead -= timedelta(minutes=15)
        change = (await web.open(await real.link(eve), real.code(eve))).expect(200).body["change"]
        key = "one-and-the-same-change"
        done = await web.finish(change, "keep_existing", BETTER, key=key)
        device = done.expect(200, outcome="password_set").body["device"]
        code = real.code(eve)
        (await web.login(eve, BETTER, code=code)).expect(429, "too-many-attempts")
        again = await web.finish(change, "keep_existing", BETTER, key=key)
        again.expect(200, outcome="password_set")
        for one in (device, again.body["device"]):
            (await web.get("/api/session", token=one)).expect(401, "invalid-credentials")
        (await web.login(eve, BETTER, code=code, device=device)).expect(200, outcome="logged_in")

    async def test_a_device_that_is_not_kept_any_more_is_a_stranger(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        devices = [(await web.login(sam)).body["device"] for _ in range(KEPT_DEVICES + 1)]
        told = [(await web.login(sam, BETTER, device=devices[0])).status for _ in range(5)]
        assert told == [401] * 4 + [429]
        (await web.login(sam)).expect(429, "too-many-attempts")
        (await web.login(sam, device=devices[1])).expect(200, outcome="logged_in")
        facts = [fact for fact in await real.facts(sam.guesses) if fact.device is not None]
        assert not facts
