"""The command line from outside: help, and failures on one line."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.local import ports
from services.cli.app import app
from services.cli.failures import sentence
from services.up.keys import KeyFiles, generate

COMMANDS = [
    [], ["up"], ["auth"], ["staff"], ["project"], ["notify"], ["demo"], ["doctor"],
    ["topics"], ["topics", "create"], ["command"], ["command", "send"],
    ["support"], ["support", "grant"], ["keys"], ["keys", "generate"],
    ["keys", "publisher"], ["keys", "api-key"],
    ["audit"], ["audit", "replay"], ["audit", "verify"], ["audit", "checkpoint"], ["audit", "key"],
    ["audit", "prove"], ["audit", "as-of"],
    ["projections"], ["projections", "status"], ["projections", "rebuild"],
    ["projections", "prune"],
]  # fmt: skip


def twofold(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TWOFOLD_")}
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(Path.cwd()), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def fails_with_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    app([*command, "--help"], standalone_mode=False, prog_name="twofold")
    assert capsys.readouterr().out.startswith(f"Usage: {' '.join(['twofold', *command])} ")


def test_help_imports_nothing_slow(tmp_path: Path) -> None:
    """Each of these costs a good part of the half second that help may take."""
    program = (
        "import sys\nfrom services.cli import main\nsys.argv = ['twofold', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "slow = {'aiokafka', 'confluent_kafka', 'asyncpg', 'pydantic', 'fastapi', 'httpx'}\n"
        "print(sorted(slow & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


class TestFailures:
    def test_a_wrong_option(self, tmp_path: Path) -> None:
        done = twofold("doctor", "--nope", cwd=tmp_path)
        fails_with_one_line(done, "--nope", "twofold doctor --help")
        assert done.returncode == 2

    def test_no_key_ring(self, tmp_path: Path) -> None:
        done = twofold("audit", "replay", cwd=tmp_path)
        fails_with_one_line(done, "keys generate")

    def test_a_setting_that_cant_be_used(self, tmp_path: Path) -> None:
        done = twofold("auth", cwd=tmp_path, env={"TWOFOLD_MODE": "testing"})
        fails_with_one_line(done, "TWOFOLD_MODE", "'production'")

    def test_a_port_that_is_none(self, tmp_path: Path) -> None:
        done = twofold("auth", "--port", "99999", cwd=tmp_path)
        fails_with_one_line(done, "65535", "twofold auth --help")

    def test_no_key_ring_to_rotate_keys_in(self, tmp_path: Path) -> None:
        fails_with_one_line(twofold("keys", "rotate", cwd=tmp_path), "keys generate")

    def test_production_refuses_plaintext(self, tmp_path: Path) -> None:
        generate(KeyFiles.under(tmp_path / ".twofold" / "keys"))
        done = twofold("topics", "create", cwd=tmp_path)
        fails_with_one_line(done, "plaintext")

    @pytest.mark.slow
    def test_kafka_away(self, tmp_path: Path) -> None:
        generate(KeyFiles.under(tmp_path / ".twofold" / "keys"))
        env = {"TWOFOLD_MODE": "development", "TWOFOLD_KAFKA": f"127.0.0.1:{ports.free_port()}"}
        done = twofold("audit", "replay", cwd=tmp_path, env=env)
        fails_with_one_line(done, f"Kafka at {env['TWOFOLD_KAFKA']}", "start it")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["replay", "--type", "login_attemptd"], "no event type"),
            (["replay", "--person", "eve"], "no id like"),
            (["replay", "--since", "yesterday"], "no moment like"),
            (["as-of", "2026-11-24", "--organisation", "acme"], "no id like"),
            (["as-of", "14:02", "--username", "eve"], "neither a moment like"),
            (["verify", "--proof", "none.json"], "--key"),
        ],
    )
    def test_what_an_auditor_mistypes(
        self, arguments: list[str], words: str, tmp_path: Path
    ) -> None:
        """Shown as nothing found, it would be taken for an answer."""
        generate(KeyFiles.under(tmp_path / ".twofold" / "keys"))
        fails_with_one_line(twofold("audit", *arguments, cwd=tmp_path), words)

    def test_data_that_is_no_json(self, tmp_path: Path) -> None:
        fails_with_one_line(twofold("command", "send", "x", "{", cwd=tmp_path), "JSON")

    def test_a_command_that_doesnt_exist(self, tmp_path: Path) -> None:
        fails_with_one_line(twofold("command", "send", "x", "{}", cwd=tmp_path), "no command")

    def test_demo_without_a_running_system(self, tmp_path: Path) -> None:
        fails_with_one_line(twofold("demo", cwd=tmp_path), "make run")

    def test_what_wasnt_expected_shows_no_trace_and_no_message(self) -> None:
        told = sentence(ZeroDivisionError("a secret"))
        assert "secret" not in told
        assert "TWOFOLD_DEBUG" in told


class TestKeysGenerate:
    def test_writes_three_files_for_their_owner_alone(self, tmp_path: Path) -> None:
        done = twofold("keys", "generate", "--json", cwd=tmp_path)
        assert done.returncode == 0
        paths = [tmp_path / path for path in json.loads(done.stdout).values()]
        assert len(paths) == 3
        assert {oct(path.stat().st_mode & 0o777) for path in paths} == {"0o600"}

    def test_never_overwrites(self, tmp_path: Path) -> None:
        generate(KeyFiles.under(tmp_path / ".twofold" / "keys"))
        before = (tmp_path / ".twofold/keys/keys.json").read_bytes()
        fails_with_one_line(twofold("keys", "generate", cwd=tmp_path), "exists already")
        assert (tmp_path / ".twofold/keys/keys.json").read_bytes() == before
