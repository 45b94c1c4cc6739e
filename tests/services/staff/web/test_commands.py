"""Commands over HTTP against the real servers: all the way, and what is told of them to whom."""

from datetime import timedelta
from typing import Any

import pytest

from events.person import Person
from services.staff.registrations import new_api_key
from tests.services.staff.office import Office
from tests.services.staff.people import uuid
from tests.services.staff.web.conftest import Api, bearer


class TestCommands:
    async def test_take_effect(self, api: Api, busy: Office, acme: str, token: str) -> None:
        sam = await busy.join(acme, enrolled=True)
        sent = await api.command(token, "disable_two_factor", busy.about(sam))
        assert sent.status_code == 202
        outcome = await api.outcome(token, sent.json()["command_id"])
        assert outcome["outcome"] == "accepted"
        path = f"/api/organisations/{acme}/staff/{sam.staff_id}"
        profile = await api.get(f"{path}?at_least={outcome['position']}", token)
        assert profile.json()["two_factor"] == "off"
        history = (await api.get(f"{path}/history", token)).json()["events"]
        assert history[0]["cause"] == "administrator"
        assert history[0]["reason"] == "Asked for by telephone."

    async def test_under_the_same_key_are_one(
        self, api: Api, busy: Office, acme: str, token: str
    ) -> None:
        sam, key = await busy.join(acme), uuid()
        first = await api.command(token, "deactivate_staff", busy.about(sam), key)
        second = await api.command(token, "deactivate_staff", busy.about(sam), key)
        assert first.json() == second.json()
        await api.outcome(token, first.json()["command_id"])
        third = await api.command(token, "deactivate_staff", busy.about(sam), key)
        assert first.json() == third.json()
        other = await api.command(token, "reactivate_staff", busy.about(sam), key)
        assert other.json() != first.json()

    async def test_of_others_are_pending_for_ever(self, api: Api, busy: Office, token: str) -> None:
        other = await busy.organisation()
        sam = await busy.join(other)
        outcome = await busy.send("deactivate_staff", busy.about(sam), command_id=uuid())
        answers = [
            (await api.get(f"/api/commands/{command_id}?publisher=operator", token)).json()
            for command_id in (outcome["command_id"], uuid())
        ]
        assert [answer["outcome"] for answer in answers] == ["pending", "pending"]

    async def test_of_another_publisher_are_told_as_its_own_alone(
        self, api: Api, busy: Office, acme: str, token: str
    ) -> None:
        """Whoever learns a command's id can take it, too: its sender must not be told of that."""
        sam, eve = await busy.join(acme), await busy.join(acme)
        command_id = uuid()
        await busy.send("deactivate_staff", busy.about(eve), command_id=command_id)
        path = f"/api/commands/{command_id}"
        for query in ("", "?publisher=operator"):
            told = (await api.get(path + query, token)).json()
            assert (told["outcome"], told["publisher"]) == ("accepted", "operator")
        assert (await api.get(f"{path}?publisher=else", token)).json()["outcome"] == "pending"
        sent = (await api.command(token, "reactivate_staff", busy.about(sam))).json()["command_id"]
        assert (await api.outcome(token, sent))["reason"] == "already-active"
        await busy.send("deactivate_staff", busy.about(sam), command_id=sent)
        assert (await api.outcome(token, sent))["outcome"] == "rejected"
        theirs = (await api.get(f"/api/commands/{sent}?publisher=operator", token)).json()
        assert theirs["outcome"] == "accepted"

    async def test_under_an_id_that_two_publishers_took_are_told_of_the_one_asked_for(
        self, api: Api, busy: Office, acme: str, token: str
    ) -> None:
        sam, eve = await busy.join(acme), await busy.join(acme)
        billing, command_id = busy.register("billing"), uuid()
        await busy.send("deactivate_staff", busy.about(sam), command_id=command_id)
        await busy.send("reactivate_staff", busy.about(eve), command_id=command_id, key=billing)
        path = f"/api/commands/{command_id}"
        told = {
            query: (await api.get(path + query, token)).json()["outcome"]
            for query in ("", "?publisher=operator", "?publisher=billing")
        }
        assert list(told.values()) == ["pending", "accepted", "rejected"]

    async def test_of_a_publisher_are_no_namesakes_api_key_s(self, api: Api, busy: Office) -> None:
        """Its commands name it as their actor, as an API key of that name would be."""
        here, there = await busy.organisation(), await busy.organisation()
        secret, lines = new_api_key("operator", ["read"], [here])
        path = busy.publishers_path
        path.write_text(path.read_text() + lines)
        told = []
        for where in (here, there):
            about = busy.about(await busy.join(where))
            sent = (await busy.send("deactivate_staff", about))["command_id"]
            answer = await api.get(f"/api/commands/{sent}?publisher=operator", secret)
            told.append(answer.json()["outcome"])
        assert told == ["accepted", "pending"]

    async def test_about_others_are_refused_as_about_nothing(
        self, api: Api, busy: Office, token: str
    ) -> None:
        other = await busy.organisation()
        sam = await busy.join(other)
        details = {"staff_id": sam.staff_id, "email": "ada@acme.example"}
        for name, data in {
            "register_staff": busy.newcomer(other),
            "change_staff_details": details,
            "change_role": busy.about(sam) | {"role": "administrator"},
            "disable_two_factor": busy.about(sam),
            "require_password_reset": busy.about(sam),
            "deactivate_staff": busy.about(sam),
            "reactivate_staff": busy.about(sam),
        }.items():
            seen = []
            for where in (other, uuid()):
                sent = await api.command(token, name, data | {"organisation_id": where})
                assert sent.status_code == 202
                outcome = await api.outcome(token, sent.json()["command_id"])
                seen.append((outcome["outcome"], outcome["reason"], outcome["detail"]))
            assert seen[0] == seen[1] == ("rejected", "unknown-organisation", seen[0][2]), name
        assert await busy.person(sam.staff_id) == sam

    async def test_that_are_grave_need_a_step_up(
        self, api: Api, busy: Office, acme: str, ada: Person
    ) -> None:
        token, _ = await api.session(ada, 300)
        sam = await busy.join(acme, enrolled=True)
        api.shift = timedelta(minutes=10, seconds=5)
        try:
            answer = await api.command(token, "disable_two_factor", busy.about(sam))
        finally:
            api.shift = timedelta(0)
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("/step-up-required")

    @pytest.mark.parametrize(
        "body",
        [
            {"type": "fly", "data": {}},
            {"type": "deactivate_staff", "data": {"organisation_id": "canary-4711"}},
            {"type": "deactivate_staff", "data": {"canary-4711": 1}},
            {"type": "deactivate_staff", "data": {}, "canary-4711": 1},
            {"type": "deactivate_staff"},
        ],
    )
    async def test_that_are_none_are_refused_without_an_echo(
        self, api: Api, token: str, body: dict[str, Any]
    ) -> None:
        answer = await api.http.post("/api/commands", json=body, headers=bearer(token))
        assert answer.status_code == 422
        assert "canary" not in answer.text
