"""
Both OpenAPI documents, taken at their word: schemathesis calls every route as its document allows
and as it doesn't, and every answer must be one that the document tells of.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from services.staff.registrations import new_api_key
from tests.attacks.system import SETUP_NEW, Attacked, Recorded

pytestmark = [pytest.mark.attacks, pytest.mark.row(46)]

CONFIG = Path(__file__).with_name("schemathesis.toml")
CASES, SECONDS = 40, 25
"""For each call and document; `make attacks` tries that many, other runs a tenth."""


def call_everything(
    web: Recorded, folder: Path, *, thorough: bool, token: str | None = None, but: str | None = None
) -> Counter[int]:
    """
    Call every route of a service, except the path *but*.

    Returns:
        How often each status was answered.
    """
    share = 1 if thorough else 10
    told = folder / "told.har"
    command = [
        str(Path(sys.executable).with_name("st")), "--config-file", str(CONFIG),
        "run", f"{web.url}/openapi.json", "--checks", "all", "--phases", "coverage,fuzzing",
        "--max-examples", str(CASES // share), "--max-time", str(SECONDS // share),
        "--continue-on-failure", "--no-shrink", "--warnings", "off", "--workers", "1",
        "--report", "har", "--report-har-path", str(told),
    ]  # fmt: skip
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    if but:
        command += ["--exclude-path", but]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    answers = [entry["response"] for entry in json.loads(told.read_text())["log"]["entries"]]
    for answer in answers:
        if answer["status"] >= 500:
            problem = json.loads(answer["content"]["text"])
            assert problem["type"].endswith("/not-yet"), problem
    statuses = Counter(answer["status"] for answer in answers)
    print(f"{web.url}: {sum(statuses.values())} calls, {dict(sorted(statuses.items()))}")  # noqa: T201
    return statuses


@pytest.fixture
def thorough(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--thorough"))


class TestAuth:
    @pytest.mark.quick
    def test_without_a_session(self, world: Attacked, tmp_path: Path, thorough: bool) -> None:
        assert not call_everything(world.auths[1], tmp_path, thorough=thorough)[500]

    def test_with_a_session(
        self,
        world: Attacked,
        organisation: str,
        tmp_path: Path,
        thorough: bool,
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        world.logged_in(eve)
        told = call_everything(
            world.auths[1], tmp_path, thorough=thorough, token=eve.session, but="/api/logout"
        )
        assert told[200]
        world.auth.get("/api/session", eve.session).expect(200)


class TestStaff:
    def test_without_a_session(self, world: Attacked, tmp_path: Path, thorough: bool) -> None:
        told = call_everything(world.staff, tmp_path, thorough=thorough)
        assert not any(200 <= status < 300 for status in told)

    def test_with_an_administrators_session(
        self,
        world: Attacked,
        organisation: str,
        tmp_path: Path,
        thorough: bool,
    ) -> None:
        session = world.administrator(organisation).session
        assert call_everything(world.staff, tmp_path, thorough=thorough, token=session)[200]

    def test_with_supports_session_after_a_step_up(
        self,
        world: Attacked,
        tmp_path: Path,
        thorough: bool,
    ) -> None:
        world.logged_in(world.support)
        world.step_up(world.support).expect(200)
        session = world.support.session
        assert call_everything(world.staff, tmp_path, thorough=thorough, token=session)[202]

    def test_with_an_api_key(self, world: Attacked, tmp_path: Path, thorough: bool) -> None:
        scopes = ["read", "audit", "command:change_role", "command:register_organisation"]
        token, lines = new_api_key("fuzz", scopes)
        with (world.folder / "keys" / "publishers.toml").open("a") as file:
            file.write(lines)
        told = call_everything(world.staff, tmp_path, thorough=thorough, token=token)
        assert told[202]
