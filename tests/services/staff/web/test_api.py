"""The HTTP side against the real servers: who sees what, and commands all the way."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from events.facts import Position
from events.person import Person
from events.staff import SessionStarted
from services.staff.registrations import new_api_key
from services.staff.web.app import build
from services.staff.web.ground import Ground
from services.web.plumbing import Plumbing
from tests.services.projections.worlds import until
from tests.services.staff.office import AUDIENCE, Office, now
from tests.services.staff.people import uuid


class Api:
    """The API of one office, with sessions whose tokens tests know."""

    def __init__(self, office: Office, http: httpx.AsyncClient) -> None:
        self.office, self.http = office, http
        self.shift = timedelta(0)

    async def get(self, path: str, token: str | None = None) -> httpx.Response:
        return await self.http.get(path, headers=_bearer(token))

    async def command(
        self, token: str | None, name: str, data: dict[str, Any], key: str | None = None
    ) -> httpx.Response:
        headers = _bearer(token) | ({"idempotency-key": key} if key else {})
        body = {"type": name, "data": data}
        return await self.http.post("/api/commands", json=body, headers=headers)

    async def outcome(self, token: str, command_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}

        async def known() -> bool:
            answer.update((await self.get(f"/api/commands/{command_id}", token)).json())
            return bool(answer["outcome"] != "pending")

        await until(known)
        return answer

    async def session(self, person: Person, time_step: int = 100) -> tuple[str, SessionStarted]:
        """A session made with both factors just now, and its token."""
        token = "tfs_" + uuid4().hex
        session = await self.office.log_in(person, time_step, token)
        return token, session


def _bearer(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


@pytest.fixture(scope="module")
async def api(busy: Office) -> AsyncIterator[Api]:
    """Give the API, with commands dealt with behind it."""

    async def ready() -> None:
        await busy.world.queries.organisations(1)

    made: list[Api] = []
    ground = Ground(
        loads=busy.world.loads,
        queries=busy.world.queries,
        vault=busy.world.vault,
        ring=busy.world.ring,
        publishers=busy.publishers,
        outbox=busy.outbox,
        home=busy.home,
        audience=AUDIENCE,
        now=lambda: now() + made[0].shift,
        clock=now,
        ready=ready,
    )
    transport = httpx.ASGITransport(Plumbing(build(ground), service="staff"))
    async with httpx.AsyncClient(transport=transport, base_url="http://staff") as http:
        made.append(Api(busy, http))
        yield made[0]


@pytest.fixture(scope="module")
async def acme(busy: Office) -> str:
    """Give an organisation."""
    return await busy.organisation()


@pytest.fixture(scope="module")
async def ada(busy: Office, acme: str) -> Person:
    """Give its administrator."""
    return await busy.join(acme, "administrator", enrolled=True)


@pytest.fixture(scope="module")
async def token(api: Api, ada: Person) -> str:
    """Give a session of that administrator."""
    return (await api.session(ada))[0]


@pytest.fixture(scope="module")
async def eve(busy: Office, acme: str) -> Person:
    """Give somebody with 2FA."""
    return await busy.join(acme, enrolled=True)


class TestQuestions:
    async def test_are_answered_with_a_position(
        self, api: Api, token: str, acme: str, eve: Person
    ) -> None:
        base = f"/api/organisations/{acme}"
        policy = (await api.get(f"{base}/policy", token)).json()
        assert policy["mandatory"] is False
        assert policy["mandatory_from"] is None
        summary = (await api.get(f"{base}/summary", token)).json()
        assert summary["active"] == summary["with_two_factor"] + summary["without_two_factor"]
        profile = (await api.get(f"{base}/staff/{eve.staff_id}", token)).json()
        assert profile["two_factor"] == "on"
        assert profile["email"].endswith("@acme.example")
        people = (await api.get(f"{base}/staff?two_factor=on", token)).json()
        assert eve.staff_id in [person["staff_id"] for person in people["people"]]
        without = (await api.get(f"{base}/staff?two_factor=off", token)).json()
        assert eve.staff_id not in [person["staff_id"] for person in without["people"]]
        history = (await api.get(f"{base}/staff/{eve.staff_id}/history", token)).json()
        assert [event["type"].split(".")[1] for event in history["events"]] == [
            "two_factor_enrolled",
            "password_set",
            "staff_registered",
        ]
        for answer in (policy, summary, profile, people, history):
            Position.parse(answer["position"])

    async def test_wait_for_a_position_or_say_not_yet(
        self, api: Api, token: str, acme: str
    ) -> None:
        path = f"/api/organisations/{acme}/policy"
        position = (await api.get(path, token)).json()["position"]
        assert (await api.get(f"{path}?at_least={position}", token)).status_code == 200
        generation, partition, offset = position.split(":")
        ahead = f"{generation}:{partition}:{int(offset) + 1000}"
        answer = await api.get(f"{path}?at_least={ahead}", token)
        assert answer.status_code == 503
        assert answer.json()["type"].endswith("/not-yet")
        assert (await api.get(f"{path}?at_least=nonsense", token)).status_code == 400

    async def test_about_others_are_answered_as_about_nothing(
        self, api: Api, busy: Office, token: str
    ) -> None:
        other = await busy.organisation()
        sam = await busy.join(other)
        for path in (
            "policy",
            "summary",
            "staff",
            f"staff/{sam.staff_id}",
            f"staff/{sam.staff_id}/history",
        ):
            theirs = await api.get(f"/api/organisations/{other}/{path}", token)
            nothing = await api.get(f"/api/organisations/{uuid()}/{path}", token)
            assert theirs.status_code == nothing.status_code == 404
            assert theirs.content == nothing.content


class TestCallers:
    async def test_without_a_session_that_holds_get_nowhere(
        self, api: Api, busy: Office, acme: str, ada: Person, eve: Person
    ) -> None:
        path = f"/api/organisations/{acme}/policy"
        for bearer in (None, "x" * 43, "tfk_" + "x" * 43):
            answer = await api.get(path, bearer)
            assert answer.status_code == 401
            assert answer.json()["type"].endswith("/unauthenticated")
        theirs, _ = await api.session(eve)
        assert (await api.get(path, theirs)).status_code == 403
        weak = "tfs_" + uuid4().hex
        bob = await busy.join(acme, "administrator", enrolled=True)
        await busy.log_in(bob, 100, weak, two_factor=False)
        answer = await api.get(path, weak)
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("/two-factor-required")

    async def test_lose_their_session_when_it_is_not_used(
        self, api: Api, acme: str, ada: Person
    ) -> None:
        token, _ = await api.session(ada, 200)
        path = f"/api/organisations/{acme}/policy"
        assert (await api.get(path, token)).status_code == 200
        api.shift = timedelta(minutes=30, seconds=5)
        try:
            assert (await api.get(path, token)).status_code == 401
        finally:
            api.shift = timedelta(0)

    async def test_with_an_api_key_see_their_organisations_by_their_scopes(
        self, api: Api, busy: Office, acme: str, eve: Person
    ) -> None:
        other = await busy.organisation()
        secret, lines = new_api_key("dashboard", ["read", "command:disable_two_factor"], [acme])
        path = busy.publishers_path
        path.write_text(path.read_text() + lines)
        base = f"/api/organisations/{acme}"
        profile = await api.get(f"{base}/staff/{eve.staff_id}", secret)
        assert profile.status_code == 200
        assert profile.json()["email"] is None
        assert (await api.get(f"{base}/staff/{eve.staff_id}/history", secret)).status_code == 403
        assert (await api.get(f"/api/organisations/{other}/policy", secret)).status_code == 404
        refused = await api.command(secret, "deactivate_staff", busy.about(eve))
        assert refused.status_code == 403
        sam = await busy.join(acme, enrolled=True)
        sent = await api.command(secret, "disable_two_factor", busy.about(sam))
        outcome = await api.outcome(secret, sent.json()["command_id"])
        assert outcome["outcome"] == "accepted", outcome
        assert not (await busy.person(sam.staff_id)).enrolled


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
        answer = await api.http.post("/api/commands", json=body, headers=_bearer(token))
        assert answer.status_code == 422
        assert "canary" not in answer.text


async def test_it_says_that_it_lives_and_is_ready(api: Api) -> None:
    assert (await api.get("/health/live")).status_code == 200
    assert (await api.get("/health/ready")).status_code == 200
    assert (await api.get("/metrics")).status_code == 404


async def test_it_describes_itself(api: Api) -> None:
    described = (await api.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    assert "/api/commands" in described["paths"]
