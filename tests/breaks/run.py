"""
Ten deliberate breaks, one at a time, in a copy of the tree: each must turn its tests red.

`make breaks` runs it. Only what is committed is broken. For each break it names the test that
caught it; a break that survives, and a patch that no longer fits, fail the run.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.stack import DATABASE_VARIABLE, KAFKA_VARIABLE, running_stack

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]

TESTS: Final[Mapping[str, Sequence[str]]] = {
    "01_everything_counts": ["tests/events/test_acceptance.py"],
    "02_answered_at_the_acknowledgement": ["tests/events/log/test_writer.py"],
    "03_the_vault_holds_secrets_in_plain": ["tests/events/vault/test_sealing.py"],
    "03_the_vault_is_skipped": ["tests/services/auth/handlers/test_password_changes.py"],
    "04_a_pause_is_ignored": [
        "tests/services/auth/domain/test_login.py",
        "tests/services/auth/handlers/test_login.py",
    ],
    "05_basis_is_ignored": ["tests/events/test_acceptance.py"],
    "06_the_deadline_is_ignored": ["tests/events/test_acceptance.py"],
    "07_a_mac_is_not_checked": ["tests/events/test_acceptance_keys.py"],
    "08_the_compare_and_set_is_dropped": [
        "tests/services/projections/test_projector.py::TestFence"
    ],
    "09_a_ticket_is_accepted_by_another_call": ["tests/services/auth/test_tickets.py"],
    "10_a_superseded_passwords_entry_is_served": ["tests/services/auth/handlers/test_login.py"],
    "10_a_superseded_passwords_entry_is_kept": [
        "tests/services/projections/test_keeper.py::TestForgetting"
    ],
}
"""What should catch each break: a narrow part of `make test`."""

_CAUGHT: Final = re.compile(r"^(?:FAILED|ERROR) (\S+?)(?: - .*)?$", re.MULTILINE)


def main() -> int:
    """Break, test, tell; 0 where every break was caught by a test that passes without it."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="twofold-breaks-") as folder,
        running_stack(_say) as stack,
    ):
        os.environ |= {KAFKA_VARIABLE: stack.kafka, DATABASE_VARIABLE: stack.database}
        tree = Path(folder) / "tree"
        _run(["git", "clone", "--quiet", str(ROOT), str(tree)], ROOT)
        if sorted(path.stem for path in HERE.glob("*.patch")) != sorted(TESTS):
            _say("The patches are not those that TESTS names.")
            return 1
        everything = sorted({test for tests in TESTS.values() for test in tests})
        status, said = _pytest(tree, everything)
        if status != 0:
            _say(f"The tests fail without any break:\n{said}")
            return 1
        _say(f"{len(everything)} sets of tests pass unbroken; now with each break:\n")
        survived = [name for name in sorted(TESTS) if not _is_caught(tree, name)]
    _say(
        f"\n{len(TESTS) - len(survived)} of {len(TESTS)} caught in {time.monotonic() - began:.0f} s"
    )
    for name in survived:
        _say(f"NOT CAUGHT: {name}")
    return 1 if survived else 0


def _is_caught(tree: Path, name: str) -> bool:
    patch = HERE / f"{name}.patch"
    applied = _run(["git", "apply", "--unidiff-zero", "-C1", str(patch)], tree, check=False)
    if applied.returncode != 0:
        _say(f"{name}: the patch no longer fits: {applied.stderr.strip()}")
        return False
    try:
        status, said = _pytest(tree, TESTS[name], "--exitfirst")
    finally:
        _run(["git", "checkout", "--quiet", "."], tree)
    found = _CAUGHT.search(said)
    # 1: tests failed. Anything else (nothing collected, an import that fails) catches nothing.
    caught = status == 1 and found is not None and "NameError" not in said
    by = f"caught by {found[1]}" if caught and found else f"not caught (status {status})"
    _say(f"{name:<44} {by}")
    return caught


def _pytest(tree: Path, tests: Sequence[str], *options: str) -> tuple[int, str]:
    done = _run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *tests],
        tree,
        check=False,
    )
    return done.returncode, done.stdout


def _run(
    command: Sequence[str], folder: Path, *, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, check=check, capture_output=True, text=True)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- A command that tells.


if __name__ == "__main__":
    sys.exit(main())
