"""Log lines hold no local variables, whoever writes them (SECURITY.md, V-5)."""

import json
import os
import subprocess
import sys

PROGRAM = """
import logging, structlog

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


SERVICE = "from services import logs; logs.configure('tests')"
COMMAND = "from services.cli import told; told.settings()"


def test_no_local_variable_is_written() -> None:
    done = run(SERVICE)
    assert not done.stdout
    assert "canary-password" not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["something.failed", "something.failed", "all.well"]
    assert all(line["service"] == "tests" for line in lines)
    assert lines[0]["exception"][0]["exc_value"] == "it failed"
    assert lines[2]["level"] == "info"
    assert lines[2]["timestamp"].endswith("Z")


def test_nor_does_a_command_whose_output_is_for_scripts() -> None:
    done = run(COMMAND, TWOFOLD_MODE="development")
    assert (done.stdout, done.stderr) == ("", "")
    done = run(COMMAND, TWOFOLD_MODE="development", TWOFOLD_LOG="INFO")
    assert not done.stdout
    assert done.stderr.count("something.failed") == 2
    assert "canary-password" not in done.stderr


def run(before: str, **told: str) -> subprocess.CompletedProcess[str]:
    """What logs a failure, configured by *before*."""
    program = f"{before}\n{PROGRAM}"
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, env=os.environ | told,
    )  # fmt: skip
