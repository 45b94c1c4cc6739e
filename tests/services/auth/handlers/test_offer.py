"""What pages ask before anything is put in force: what is offered, whether a password will do."""

from datetime import timedelta

import pytest

from services.auth.domain.errors import PasswordRefusedError, TicketDeadError
from tests.services.auth.stage import Stage
from tests.services.auth.web_client import BETTER, GOOD, Web


class TestConsider:
    async def test_offers_what_goes_with_a_password_that_will_do(
        self, stage: Stage, web: Web
    ) -> None:
        ahead = stage.now() + timedelta(days=3)
        organisation = await stage.organisation()
        who = await stage.person(organisation)
        await stage.policy(organisation, effective=ahead)
        change = (await web.open(await stage.link(who))).expect(200).body["change"]
        before = await stage.facts(who.account)
        offer = await web.service.finishing.consider(change, BETTER)
        assert (offer.username, offer.options) == (who.username, ("no_thanks", "setup_new"))
        assert offer.mandatory_from is not None
        assert abs(offer.mandatory_from - ahead) < timedelta(milliseconds=1)
        assert await stage.facts(who.account) == before

    @pytest.mark.parametrize("password", ["short", "a" * 20, "x" * 129])
    async def test_refuses_what_finishing_would_refuse(
        self, stage: Stage, web: Web, password: str
    ) -> None:
        who = await stage.person(await stage.organisation())
        change = (await web.open(await stage.link(who))).expect(200).body["change"]
        with pytest.raises(PasswordRefusedError) as refused:
            await web.service.finishing.consider(change, password)
        answer = await web.finish(change, "no_thanks", password)
        answer.expect(422, "password-refused", reason=refused.value.reason)

    async def test_says_nothing_of_the_current_one(self, stage: Stage, web: Web) -> None:
        """It answers any number of times, and nothing counts them."""
        who = await stage.person(await stage.organisation())
        change = (await web.open(await stage.link(who))).expect(200).body["change"]
        current = await web.service.finishing.consider(change, GOOD)
        assert current == await web.service.finishing.consider(change, BETTER)

    async def test_a_change_that_is_over_offers_nothing(self, stage: Stage, web: Web) -> None:
        who = await stage.person(await stage.organisation())
        change = (await web.open(await stage.link(who))).expect(200).body["change"]
        (await web.finish(change, "no_thanks")).expect(200)
        for dead in (change, await stage.link(who), ""):
            with pytest.raises(TicketDeadError):
                await web.service.finishing.consider(dead, BETTER)
            with pytest.raises(TicketDeadError):
                await web.service.changes.look(dead)
