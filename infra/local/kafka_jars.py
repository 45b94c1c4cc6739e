"""The broker's jars: copied once by Maven into a cache of this user, shown while it loads."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from infra.local.errors import PrerequisiteMissingError

POM = Path(__file__).parent.parent / "kafka" / "pom.xml"
_LOWEST_JAVA = 17
_DOWNLOADED = re.compile(r"^Downloaded from .*\(([\d.]+) (kB|MB)")


def cache_folder() -> Path:
    """Give this user's cache folder for things that can be fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twofold"


def java() -> str:
    """
    Find Java.

    Raises:
        PrerequisiteMissingError: There is none, or it is older than 17.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    needed = f"Kafka needs Java {_LOWEST_JAVA} or newer"
    if found is None:
        raise PrerequisiteMissingError(
            f"{needed}, and there is none: install it (on Debian: apt-get install "
            "openjdk-17-jre-headless maven), or start a Docker engine."
        )
    says = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', says)
    if version is None or int(version[1]) < _LOWEST_JAVA:
        first = says.splitlines()[0] if says else "nothing"
        raise PrerequisiteMissingError(
            f"{needed}, and {found} says {first}: install a newer one, or set JAVA_HOME."
        )
    return found


def jars(say: Callable[[str], None]) -> Path:
    """
    Give the folder of the broker's jars, fetched first where they aren't there yet.

    Raises:
        PrerequisiteMissingError: No Maven, or it failed.
    """
    name = f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            _fetch(unfinished, say)
            unfinished.rename(folder)
    return folder


def _fetch(folder: Path, say: Callable[[str], None]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise PrerequisiteMissingError(
            "Kafka's jars are fetched by Maven, and there is none: install it (on Debian: "
            "apt-get install maven), or start a Docker engine."
        )
    say("Fetching Apache Kafka's jars by Maven (about 55 MB, once) …")
    command = [maven, "--batch-mode", "--file", str(POM), "dependency:copy-dependencies"]
    errors: list[str] = []
    files, megabytes = 0, 0.0
    with subprocess.Popen(
        [*command, f"-DoutputDirectory={folder}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder.parent,
    ) as process:
        assert process.stdout is not None  # noqa: S101 — told so by PIPE.
        for line in process.stdout:
            if line.startswith("[ERROR]") and line.removeprefix("[ERROR]").strip():
                errors.append(line.removeprefix("[ERROR]").strip())
            if size := _DOWNLOADED.match(line):
                files += 1
                megabytes += float(size[1]) / (1 if size[2] == "MB" else 1000)
                if files % 25 == 0:
                    say(f"  {files} files, {megabytes:.0f} MB so far")
    if process.returncode != 0:
        raise PrerequisiteMissingError(
            f"Maven couldn't fetch Kafka's jars ({(errors or ['it said nothing'])[0]}): check the "
            "network and Maven's settings, then try again."
        )
    say(f"  Kafka's jars are there ({sum(1 for _ in folder.glob('*.jar'))} files).")
