"""Claims on usernames, across partitions and organisations; none of them is ever waited for."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from events import streams
from events.facts import Draft
from events.staff import StaffRegistered
from services.staff.domain.errors import UsernameNotYetFreeError, UsernameTakenError
from services.staff.usernames import Cause, Usernames
from tests.services.projections.worlds import SEALED, digest, until
from tests.services.staff.office import Office, now
from tests.services.staff.people import uuid

CAUSE = Cause("system", "correlation", "causation")


def usernames(office: Office, claim_for: timedelta) -> Usernames:
    return Usernames(office.world.loads, office.world.writer, now, claim_for)


def somebody() -> dict[str, Any]:
    """Whom a claim is for, in a partition whose time is ours."""
    return {"organisation_id": uuid(), "staff_id": uuid(), "clock": now()}


class TestAClaim:
    async def test_that_is_no_registration_yet_is_nobody_else_s_and_not_waited_for(
        self, office: Office
    ) -> None:
        name, holder = digest(), somebody()
        claims = usernames(office, timedelta(minutes=1))
        until_then = await claims.claim(name, **holder, cause=CAUSE)
        async with asyncio.timeout(2):
            with pytest.raises(UsernameNotYetFreeError):
                await claims.claim(name, **somebody(), cause=CAUSE)
        assert await claims.claim(name, **holder, cause=CAUSE) == until_then

    async def test_that_came_to_nothing_is_free_though_its_partition_is_quiet(
        self, office: Office
    ) -> None:
        """Nothing is written there after the claim but the tick by which its time passes."""
        name, claims = digest(), usernames(office, timedelta(milliseconds=1))
        await claims.claim(name, **somebody(), cause=CAUSE)
        second = somebody()

        async def is_free() -> bool:
            # Kafka's clock may be a little behind ours.
            try:
                await claims.claim(name, **second, cause=CAUSE)
            except UsernameNotYetFreeError:
                return False
            return True

        await until(is_free)
        claim = (await office.world.loads.claim(name)).claim
        assert claim is not None
        assert claim.staff_id == second["staff_id"]

    async def test_that_somebody_relies_on_is_taken_however_old(self, office: Office) -> None:
        name, claims = digest(), usernames(office, timedelta(milliseconds=1))
        holder = somebody()
        await claims.claim(name, **holder, cause=CAUSE)
        registered = StaffRegistered(
            username_digest=name, data_key=uuid(), details=SEALED, role="staff"
        )
        await office.world.write(
            Draft(streams.account(holder["organisation_id"], holder["staff_id"]), registered)
        )
        with pytest.raises(UsernameTakenError):
            await claims.claim(name, **somebody(), cause=CAUSE)


class TestByCommands:
    async def test_names_have_one_holder_and_are_free_again_when_given_up(
        self, busy: Office
    ) -> None:
        acme, other = await busy.organisation(), await busy.organisation()
        first = busy.newcomer(acme)
        assert (await busy.send("register_staff", first))["outcome"] == "accepted"
        second = busy.newcomer(other) | {"username": first["username"].upper()}
        taken = await busy.send("register_staff", second)
        assert taken["reason"] == "username-taken"
        renamed = {key: first[key] for key in ("organisation_id", "staff_id")}
        await busy.send("change_staff_details", renamed | {"username": uuid()})
        given_up = await busy.send("register_staff", second)
        assert given_up["reason"] == "username-not-yet-free"

        async def is_free() -> bool:
            outcome = await busy.send("register_staff", second)
            assert outcome.get("reason") in {None, "username-not-yet-free"}
            return bool(outcome["outcome"] == "accepted")

        await until(is_free)

    async def test_names_go_to_one_of_two_who_ask_at_once(self, busy: Office) -> None:
        name = uuid()
        acme, other = await busy.organisation(), await busy.organisation()
        values = [
            busy.write("register_staff", busy.newcomer(where) | {"username": name})
            for where in (acme, other)
        ]
        await asyncio.gather(
            *(busy.put(value, partition=partition) for partition, value in enumerate(values))
        )
        outcomes = [await busy.outcome(json.loads(value)["id"]) for value in values]
        assert sorted(outcome["outcome"] for outcome in outcomes) == ["accepted", "rejected"]

    async def test_an_id_goes_to_one_of_two_organisations_that_register_it_at_once(
        self, busy: Office
    ) -> None:
        """Both went through: each overwrote the other's person, and forgot their data key."""
        acme, other = await busy.organisation(), await busy.organisation()
        for _ in range(3):
            staff_id = uuid()
            values = [
                busy.write("register_staff", busy.newcomer(where) | {"staff_id": staff_id})
                for where in (acme, other)
            ]
            await asyncio.gather(
                *(busy.put(value, partition=partition) for partition, value in enumerate(values))
            )
            outcomes = [await busy.outcome(json.loads(value)["id"]) for value in values]
            assert sorted(one.get("reason", "") for one in outcomes) == ["", "already-registered"]

    async def test_an_id_is_registered_once(self, busy: Office) -> None:
        acme, other = await busy.organisation(), await busy.organisation()
        data = busy.newcomer(acme)
        await busy.send("register_staff", data)
        for where in (acme, other):
            again = busy.newcomer(where) | {"staff_id": data["staff_id"]}
            assert (await busy.send("register_staff", again))["reason"] == "already-registered"


class TestAClockBehindKafkas:
    async def test_registrations_count_as_everything_else_does(self, office: Office) -> None:
        """
        Their deadline was by the server's clock alone, the only one of all: with Kafka's some
        seconds ahead people went on logging in, and nobody could be registered.
        """
        async with office.consuming(handler=office.handler(behind=timedelta(seconds=30))):
            acme = await office.organisation()
            person = await office.join(acme)
            renamed = {"organisation_id": acme, "staff_id": person.staff_id, "username": uuid()}
            assert (await office.send("change_staff_details", renamed))["outcome"] == "accepted"
