"""
Bad input over HTTP, each with the answer that it got, as a table that the test prints.

Nothing crashes, nothing is lost, nothing opens: after each, the processes are the same ones.
"""

import json

import httpx
import pytest

from services.demo.behaviours import SETUP_NEW
from services.demo.flows import World
from services.demo.world import Answer
from tests.faults.system import System, Tell, the_same_processes

pytestmark = [pytest.mark.faults, pytest.mark.slow]

FULL_WIDTH = {ord("0") + n: 0xFF10 + n for n in range(10)}


@pytest.fixture
def organisation_id(world: World) -> str:
    return world.organisation("Bad Input Estates")


def said(answer: Answer) -> str:
    return f"{answer.status} {answer.problem or answer.body.get('outcome', '')}"


class TestOverHttp:
    @pytest.mark.parametrize(
        ("what", "body", "expected"),
        [
            ("an unknown JSON field", {"username": "sam", "admin": True}, "422 invalid"),
            ("a NUL byte", {"username": "sa\0m"}, "422 invalid"),
            ("a member twice", b'{"username":"a","username":"b"}', "422 invalid"),
            ("bytes that are no UTF-8", b"\xff\xfe\x00", "422 invalid"),
            ("a body of 10 MB", b'{"username":"' + b"x" * 10_000_000 + b'"}', "413 too-large"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    @pytest.mark.parametrize("path", ["login/start", "password-resets"])
    def test_a_body_that_does_not_fit(
        self, system: System, world: World, tell: Tell, path: str, what: str, body: object,
        expected: str,
    ) -> None:  # fmt: skip
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        with the_same_processes(system):
            answer = httpx.post(
                f"{world.auth.url}/api/{path}",
                content=sent,
                headers={"content-type": "application/json"},
                timeout=30,
                trust_env=False,
            )
            name = answer.json()["type"].rpartition("/")[2]
        tell(f"{what}, to {path}", f"{answer.status_code} {name}")
        assert f"{answer.status_code} {name}" == expected

    def test_full_width_digits_are_no_code(
        self, system: System, world: World, organisation_id: str, tell: Tell
    ) -> None:
        eve = world.join(organisation_id, choice=SETUP_NEW)
        code = eve.app.code()
        with the_same_processes(system):
            refused = world.login(eve, code=code.translate(FULL_WIDTH))
            refused.expect(401, "invalid-credentials")
            right = world.login(eve, code=code).expect(200, outcome="logged_in")
        tell("a code in full-width digits", said(refused))
        tell("the same code in ASCII: it was not burned", said(right))

    def test_to_the_staff_service(self, world: World, organisation_id: str, tell: Tell) -> None:
        ada = world.join(organisation_id, "administrator", SETUP_NEW)
        world.logged_in(ada)
        for what, body in (
            ("a command of an unknown type", {"type": "drop_everything", "data": {}}),
            (
                "a command with an unknown field",
                {"type": "deactivate_staff", "data": {**world.about(ada), "really": True}},
            ),
            (
                "a command with a NUL byte",
                {"type": "deactivate_staff", "data": world.about(ada, "a\0b")},
            ),
        ):
            answer = world.staff.post("/api/commands", body, ada.session).expect(422)
            tell(f"{what}, over HTTP", said(answer))
