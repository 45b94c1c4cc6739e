"""Commands about people, as they are dealt with: on whom, by whom, and what they leave."""

import asyncio
import json
from typing import Any

from events import streams
from tests.services.staff.office import Office
from tests.services.staff.people import uuid


class TestPeople:
    async def test_act_in_their_own_organisation_with_their_rights_of_that_moment(
        self, busy: Office
    ) -> None:
        acme, other = await busy.organisation(), await busy.organisation()
        ada, bob = [await busy.join(acme, "administrator", enrolled=True) for _ in range(2)]
        sam, eve = await busy.join(acme), await busy.join(other)
        session = await busy.log_in(ada)
        how: dict[str, Any] = {
            "key": busy.people,
            "actor": f"staff/{ada.staff_id}",
            "session_id": session.id,
        }
        for target, name, reason in (
            (sam, "require_password_reset", None),
            (eve, "require_password_reset", "unknown-organisation"),
            (ada, "require_password_reset", "on-yourself"),
            (sam, "forget_staff", "not-permitted"),
        ):
            outcome = await busy.send(name, busy.about(target), **how)
            assert outcome.get("reason") == reason, outcome
        policy = {"organisation_id": acme, "mandatory": True, "reason": "r"}
        assert (await busy.send("set_two_factor_policy", policy, **how))["reason"] == (
            "not-permitted"
        )
        demoted = busy.about(ada) | {"role": "staff"}
        assert (await busy.send("change_role", demoted))["outcome"] == "accepted"
        refused = await busy.send("require_password_reset", busy.about(sam), **how)
        assert refused["reason"] == "not-permitted"
        last = await busy.send("deactivate_staff", busy.about(bob))
        assert last["reason"] == "last-administrator"

    async def test_find_nothing_of_another_organisation_by_any_command(self, busy: Office) -> None:
        acme, other = await busy.organisation(), await busy.organisation()
        ada, eve = await busy.join(acme, "administrator", enrolled=True), await busy.join(other)
        session = await busy.log_in(ada)
        about, org = busy.about(eve), {"organisation_id": other}
        before = await busy.counted(streams.account(other, eve.staff_id))
        for name, data in {
            "register_organisation": org | {"name": "Mine"},
            "register_staff": busy.newcomer(other),
            "change_staff_details": org | {"staff_id": eve.staff_id, "email": "ada@acme.example"},
            "change_role": about | {"role": "administrator"},
            "disable_two_factor": about,
            "require_password_reset": about,
            "deactivate_staff": about,
            "reactivate_staff": about,
            "forget_staff": about,
            "set_two_factor_policy": org | {"mandatory": True, "reason": "r"},
            "set_password_expiry": org | {"max_age_days": 1, "reason": "r"},
        }.items():
            outcomes = [
                await busy.send(
                    name,
                    data | {"organisation_id": where},
                    key=busy.people,
                    actor=f"staff/{ada.staff_id}",
                    session_id=session.id,
                )
                for where in (other, uuid())
            ]
            reasons = [outcome["reason"] for outcome in outcomes]
            assert reasons == ["unknown-organisation"] * 2, name
        assert await busy.counted(streams.account(other, eve.staff_id)) == before
        assert await busy.counted(streams.organisation(other)) == ["organisation_registered"]

    async def test_removing_each_other_at_once_leaves_an_administrator(self, busy: Office) -> None:
        acme = await busy.organisation()
        both = [await busy.join(acme, "administrator") for _ in range(2)]
        values = [busy.write("deactivate_staff", busy.about(one)) for one in both]
        await asyncio.gather(
            *(busy.put(value, partition=partition) for partition, value in enumerate(values))
        )
        outcomes = [await busy.outcome(json.loads(value)["id"]) for value in values]
        assert sorted(one.get("reason", "") for one in outcomes) == ["", "last-administrator"]

    async def test_act_from_sessions_that_hold(self, busy: Office) -> None:
        acme = await busy.organisation()
        ada = await busy.join(acme, "administrator", enrolled=True)
        sam = await busy.join(acme)
        how: dict[str, Any] = {"key": busy.people, "actor": f"staff/{ada.staff_id}"}
        never = await busy.send("deactivate_staff", busy.about(sam), **how, session_id=uuid())
        assert never["reason"] == "session-ended"
        stale = await busy.send("require_password_reset", busy.about(sam), **how)
        assert stale["reason"] == "step-up-required"

    async def test_of_support_act_anywhere(self, busy: Office) -> None:
        if await busy.world.loads.by_staff(busy.home) is None:
            await busy.organisation(busy.home)
        acme = await busy.organisation()
        sam = await busy.join(acme)
        support = await busy.join(busy.home, "support", enrolled=True)
        session = await busy.log_in(support)
        how: dict[str, Any] = {
            "key": busy.people,
            "actor": f"staff/{support.staff_id}",
            "session_id": session.id,
        }
        policy = {"organisation_id": acme, "mandatory": True, "reason": "r"}
        assert (await busy.send("set_two_factor_policy", policy, **how))["outcome"] == "accepted"
        assert (await busy.send("forget_staff", busy.about(sam), **how))["outcome"] == "accepted"
