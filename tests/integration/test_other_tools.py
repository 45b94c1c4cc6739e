"""What other programs than ours see: a code of oathtool's, a record read by kcat, a replay."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from services.demo.flows import World
from services.demo.people import Somebody
from tests.faults.system import System, somebody

pytestmark = pytest.mark.slow


def test_a_code_of_oathtools_logs_in_and_its_event_is_there_for_all(
    system: System,
    world: World,
    require_tool: Callable[[str], str],
    tell: Callable[..., None],
) -> None:
    oathtool, kcat = require_tool("oathtool"), require_tool("kcat")
    people = {one["username"]: one for one in system.demonstration["people"]}
    eve, secret = somebody(people["eve"]), people["eve"]["secret"]
    answer = world.login(eve, code=_code(oathtool, secret))
    if answer.status == 401:  # Seeding used this very time-step.
        time.sleep(30.5 - time.time() % 30)
        answer = world.login(eve, code=_code(oathtool, secret))
    answer.expect(200, outcome="logged_in", two_factor="on")
    _, partition, offset = str(answer.body["position"]).split(":")
    tell("a code of oathtool's", "200 logged_in", answer.body["position"])

    read = subprocess.run(
        [kcat, "-b", system.kafka, "-C", "-t", "twofold.events", "-p", partition, "-o", offset,
         "-c", "1", "-q"], capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    record = json.loads(read.stdout)
    assert record["subject"] == eve.codes
    assert record["data"]["outcome"] == "succeeded"
    tell(f"kcat -t twofold.events -p {partition} -o {offset}", record["type"], record["id"])

    replayed = _replay(system, eve)
    assert record["id"] in replayed
    tell("twofold audit replay", "the same event")


def _code(oathtool: str, secret: str) -> str:
    command = [oathtool, "--totp", "--base32", "-"]
    done = subprocess.run(command, input=secret, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _replay(system: System, who: Somebody) -> str:
    command = [sys.executable, "-m", "services.cli", "audit", "replay", "--json"]
    done = subprocess.run(
        [*command, "--person", who.staff_id],
        capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | system.told,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
