"""New passwords over HTTP, whichever way they come about, on the real servers."""

from datetime import timedelta

from tests.services.auth.stage import Stage
from tests.services.auth.web_client import BETTER, GOOD, Somebody, Web


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
    async def test_an_old_ticket_is_made_good_by_no_idempotency_key(self, real: Stage) -> None:
        web, sam = real.open(), await real.person(await real.organisation())
        asked = {"username": sam.username}
        key = "known-to-whoever-asked-first"
        (await web.post("/api/password-resets", asked, key=key)).expect(202)
        await web.service.resets.drain()
        old = await real.mailed(sam)
        change = (await web.open(old)).expect(200).body["change"]
        (await web.finish(change, "no_thanks")).expect(200)
        assert real.world is not None
        # As the projector does after a week, when it forgets which requests have counted.
        await real.world.pool.execute("DELETE FROM recent_record")
        (await web.post("/api/password-resets", asked, key=key)).expect(202)
        await web.service.resets.drain()
        (await web.open(old)).expect(410, "ticket-dead")
        (await web.open(await real.mailed(sam))).expect(200)

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
