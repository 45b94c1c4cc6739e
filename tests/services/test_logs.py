"""Log lines hold no local variables, whoever writes them (SECURITY.md, V-5)."""

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from services import logs

logs.configure("tests")

def fail():
    password = "canary-" + "password"
    raise ValueError("it failed")

for tell in (structlog.get_logger().exception, logging.getLogger("library").exception):
    try:
        fail()
    except ValueError:
        tell("something.failed")
structlog.get_logger().info("all.well", answer=42)
"""


def test_no_local_variable_is_written() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert not done.stdout
    assert "canary-password" not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["something.failed", "something.failed", "all.well"]
    assert all(line["service"] == "tests" for line in lines)
    assert lines[0]["exception"][0]["exc_value"] == "it failed"
    assert lines[2]["level"] == "info"
    assert lines[2]["timestamp"].endswith("Z")
