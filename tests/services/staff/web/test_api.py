"""The HTTP side against the real servers: who sees what."""

from datetime import timedelta
from uuid import uuid4

from events import streams
from events.facts import Draft, Position
from events.organisation import TwoFactorPolicyChanged
from events.person import Person
from events.staff import PasswordRehashed
from services.staff.registrations import new_api_key
from services.staff.web.people import EVENTS
from tests.services.staff.office import Office
from tests.services.staff.people import uuid
from tests.services.staff.web.conftest import Api


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

    async def test_in_support_s_own_organisation_it_is_mandatory_whatever_was_set(
        self, api: Api, busy: Office
    ) -> None:
        sue = await busy.join(await busy.organisation(busy.home), "support", enrolled=True)
        optional = TwoFactorPolicyChanged(mandatory=False, reason="From before it was support's.")
        await busy.world.write(Draft(streams.organisation(busy.home), optional))
        token, _ = await api.session(sue)
        told = (await api.get(f"/api/organisations/{busy.home}/policy", token)).json()
        assert (told["mandatory"], told["mandatory_from"]) == (True, None)

    async def test_tell_a_history_to_its_beginning(
        self, api: Api, busy: Office, token: str, acme: str
    ) -> None:
        """However much came behind an event, it is told: page by page."""
        sam = await busy.join(acme)
        account = streams.account(acme, sam.staff_id)
        rehashed = PasswordRehashed(credential=uuid())
        await busy.world.write(*[Draft(account, rehashed) for _ in range(EVENTS)])
        path = f"/api/organisations/{acme}/staff/{sam.staff_id}/history"
        newest = (await api.get(path, token)).json()
        assert {one["type"] for one in newest["events"]} == {rehashed.wire_name}
        assert newest["next"] == newest["events"][-1]["position"]
        rest = (await api.get(f"{path}?before={newest['next']}", token)).json()
        assert [one["type"].split(".")[1] for one in rest["events"]] == ["staff_registered"]
        assert rest["next"] is None
        _, partition, offset = newest["next"].split(":")
        for other, status in (("nonsense", 400), (f"{uuid()}:{partition}:{offset}", 404)):
            assert (await api.get(f"{path}?before={other}", token)).status_code == status

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


async def test_it_says_that_it_lives_and_is_ready(api: Api) -> None:
    assert (await api.get("/health/live")).status_code == 200
    assert (await api.get("/health/ready")).status_code == 200
    assert (await api.get("/metrics")).status_code == 404


async def test_it_describes_itself(api: Api) -> None:
    described = (await api.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    assert "/api/commands" in described["paths"]
