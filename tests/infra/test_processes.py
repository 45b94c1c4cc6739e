import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import ports
from infra.local.errors import ServerFailedError
from infra.local.process_ids import Identity, tree
from infra.local.processes import Process, end_leftover

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""


def python(tmp_path: Path, code: str, pid_file: Path | None = None) -> Process:
    command = [sys.executable, "-u", "-c", code]
    return Process("It", command, log=tmp_path / "log", pid_file=pid_file)


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not holds():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.02)
    return True


class TestStart:
    def test_gets_a_process_group_of_its_own(self, tmp_path: Path) -> None:
        """So that a terminal's Ctrl-C reaches the one who started it, and not it."""
        process = python(tmp_path, "import time; print('ready'); time.sleep(60)").start()
        process.wait_for_line("ready")
        assert os.getpgid(process.pid) == process.pid
        process.stop()
        assert process.returncode == -signal.SIGTERM

    def test_tells_the_last_words_of_one_that_ended(self, tmp_path: Path) -> None:
        process = python(tmp_path, "import sys; sys.exit('no configuration')").start()
        with pytest.raises(ServerFailedError, match=r"ended with status 1.*no configuration"):
            process.wait_for_line("ready")

    def test_waits_for_an_address_to_answer(self, tmp_path: Path) -> None:
        port = ports.free_port()
        command = [sys.executable, "-m", "http.server", str(port), "--bind", ports.LOOPBACK]
        process = Process("The page", command, log=tmp_path / "log", cwd=tmp_path).start()
        process.wait_for_url(f"http://{ports.LOOPBACK}:{port}/")
        process.kill()
        assert ports.is_free(port)


class TestStop:
    def test_ends_one_that_does_not_listen_and_its_children(self, tmp_path: Path) -> None:
        process = python(tmp_path, STUBBORN).start()
        process.wait_for_line("ready")
        family = [Identity.of(pid) for pid in tree(process.pid)]
        assert len(family) == 2
        process.stop(timeout=0.2)
        assert eventually(lambda: not any(one and one.is_alive() for one in family))

    def test_wakes_one_that_is_paused(self, tmp_path: Path) -> None:
        process = python(tmp_path, "import time; print('ready'); time.sleep(60)").start()
        process.wait_for_line("ready")
        process.pause()
        process.stop(timeout=10)
        assert process.returncode == -signal.SIGTERM


class TestLeftover:
    def test_is_ended(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        process = python(tmp_path, "import time; time.sleep(60)", pid_file=pid_file).start()
        assert end_leftover(pid_file, signal.SIGTERM) == process.pid
        assert not pid_file.exists()
        process.kill()

    def test_with_a_reused_process_id_is_left_alone(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
            Identity(other.pid, "another start").write(pid_file)
            assert end_leftover(pid_file, signal.SIGTERM) is None
            assert other.poll() is None
            other.kill()

    def test_of_a_torn_file_is_nobody(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        pid_file.write_text("12")
        assert end_leftover(pid_file, signal.SIGTERM) is None
