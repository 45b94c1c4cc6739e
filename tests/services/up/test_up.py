"""`twofold up` from outside: ready, seeded, killed, started again, stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local import ports
from infra.local.process_ids import Identity
from tests.stack import stack_folder

PORTS = (
    "KAFKA", "POSTGRES", "AUTH", "STAFF", "AUTH_METRICS", "STAFF_METRICS", "PROJECTIONS", "SMTP",
)  # fmt: skip


class Up:
    """One installation in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".twofold"
        self.cwd = folder
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TWOFOLD_")}
        chosen = {f"TWOFOLD_{name}_PORT": str(ports.free_port()) for name in PORTS}
        self.env = {**clean, **chosen, "PYTHONPATH": str(Path.cwd()), "TWOFOLD_STACK": "local"}
        self.output = folder / "output"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, and give what it printed up to *ready*."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "up"],
                cwd=self.cwd, env=self.env, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 120
        while "forget:" not in (text := self.output.read_text()):
            assert self.process.poll() is None, text
            assert time.monotonic() < end, text
            time.sleep(0.1)
        return text

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            cwd=self.cwd, env=self.env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def children(self) -> list[Identity]:
        files = [*self.folder.glob("logs/*.pid"), self.folder / "kafka" / "pid"]
        return [identity for file in files if (identity := Identity.read(file))]

    def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)


@pytest.fixture
def up() -> Iterator[Up]:
    with stack_folder() as folder:
        made = Up(folder)
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.end(signal.SIGTERM)
            subprocess.run(
                [sys.executable, "-m", "infra.local.stack", "--folder", made.folder, "--forget"],
                check=True, capture_output=True,
            )  # fmt: skip


@pytest.mark.slow
@pytest.mark.faults
def test_it_comes_up_seeded_survives_a_kill_and_stops_all_it_started(up: Up) -> None:
    told = up.start()
    demo = json.loads((up.folder / "demo.json").read_text())
    assert [one["state"] for one in demo["people"]] == ["done"] * 4
    for one in demo["people"]:
        assert one["password"] in told
        assert one["secret"] is None or one["secret"] in told
    doctor = up.run("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    assert all(finding["well"] for finding in json.loads(doctor.stdout))

    second = up.run("up")
    assert second.returncode != 0
    assert "already" in second.stderr

    mails = len(list((up.folder / "mail").glob("*.eml")))
    before = up.children()
    assert len(before) == 5
    up.end(signal.SIGKILL)
    up.start()
    assert not any(identity.is_alive() for identity in before)
    assert json.loads((up.folder / "demo.json").read_text())["people"] == demo["people"]
    assert len(list((up.folder / "mail").glob("*.eml"))) == mails
    assert httpx.get(f"{demo['auth_url']}/health/ready", trust_env=False).status_code == 200

    children = up.children()
    up.end(signal.SIGTERM)
    assert up.process is not None
    assert up.process.returncode == 0
    assert not any(identity.is_alive() for identity in children)
