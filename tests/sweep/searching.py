"""
Searching for every noted secret, in every spelling, in every file that a run leaves behind.

Servers' folders are searched just before they are deleted, as they lie on the disk: Kafka's
segments, PostgreSQL's tables and write-ahead log (so dropped databases, too), every process's log
and every mail. GNU grep does the searching.
"""

import os
import re
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.sweep import sitecustomize
from tests.sweep.spelling import encoded

SHORTEST: Final = 10
VARIED: Final = 8
"""Bytes, and different ones among them, by which a secret differs from what stands by chance."""

NOT_SEARCHED: Final = ("keys", "passwords")
"""Folders that exist to hold secrets."""
HOLD_NO_RECORD: Final = ("*.index", "*.timeindex")
"""Kafka's files of offsets, large and empty."""
MAIL: Final = "mail"
MAILED: Final = frozenset({"token"})
"""What mails are for: the link's ticket."""
ATTACKERS_OWN: Final = re.compile(
    r"password \(.*\) in kafka/data/attacked_\w+\.twofold\.commands-.*"
)
"""An attack hands passwords to the commands' topic itself, to see that they go no further."""


@dataclass(slots=True)
class Sweep:
    """
    One run's secrets, and where they were found.

    Attributes:
        folder: Of the notes, and of what the tests themselves printed.
        searched: Bytes searched so far.
        found: What stands there, by "kind (spelling) in file"; it was made for this run alone.
    """

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="twofold-sweep-")))
    searched: int = 0
    found: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    @property
    def notes(self) -> Path:
        """Where every process of the run notes its secrets."""
        return self.folder / "notes"

    def start(self) -> None:
        """Have this process, and all that it starts, note their secrets."""
        self.notes.touch(0o600)
        os.environ[sitecustomize.NOTES] = str(self.notes)
        here = str(Path(sitecustomize.__file__).parent)
        os.environ["PYTHONPATH"] = os.pathsep.join(
            [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        sitecustomize.install()

    @property
    def printed(self) -> Path:
        """Folder of what the tests printed or logged, to be searched as well."""
        return self.folder / "printed"

    def keep(self, text: str) -> None:
        """Keep what a test printed."""
        self.printed.mkdir(exist_ok=True)
        with (self.printed / "by-tests.log").open("a") as kept:
            kept.write(text)

    def search(self, folder: Path) -> None:
        """Search every file under *folder* for every secret noted so far."""
        spelt = self.spelt()
        for mails in (False, True):
            wanted = {
                needle: names
                for needle, names in spelt.items()
                if not (mails and names[0].split(" (")[0] in MAILED)
            }
            self._grep(folder, wanted, mails=mails)
        self.searched += sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())

    def spelt(self) -> dict[bytes, list[str]]:
        """Every spelling of every secret, and what it is."""
        spelt: dict[bytes, list[str]] = {b"argon2id$v=": ["hash (raw)"]}
        for kind, secret in self.secrets():
            for how, needle in encoded(secret).items():
                if b"\n" not in needle and len(needle) >= SHORTEST:
                    spelt.setdefault(needle, []).append(f"{kind} ({how})")
        return spelt

    def secrets(self) -> set[tuple[str, bytes]]:
        """What was noted, but for what is too short or plain to be told from chance."""
        lines = (line.partition(b"\t") for line in self.notes.read_bytes().splitlines())
        secrets = {(kind.decode(), b64decode(text)) for kind, _, text in lines}
        return {
            (kind, secret)
            for kind, secret in secrets
            if len(secret) >= SHORTEST and len(set(secret)) >= VARIED
        }

    def _grep(self, folder: Path, wanted: dict[bytes, list[str]], *, mails: bool) -> None:
        needles = self.folder / "needles"
        needles.write_bytes(b"\n".join(wanted))
        excluded = [f"--exclude={name}" for name in HOLD_NO_RECORD] + [
            f"--exclude-dir={name}" for name in (*NOT_SEARCHED, *([] if mails else [MAIL]))
        ]
        where = [str(path) for path in folder.rglob(MAIL)] if mails else [str(folder)]
        if not where:
            return
        done = subprocess.run(
            [
                shutil.which("grep") or "grep", "--text", "--recursive", "--only-matching",
                "--with-filename", "--null", "--fixed-strings", f"--file={needles}",
                *excluded, *where,
            ],
            env={"LC_ALL": "C"}, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode > 1:
            raise RuntimeError(done.stderr.decode(errors="replace"))
        for line in done.stdout.splitlines():
            path, _, needle = line.partition(b"\0")
            name = Path(os.fsdecode(path)).relative_to(folder)
            what = f"{wanted[needle][0]} in {name}"
            if not ATTACKERS_OWN.fullmatch(what):
                self.found[what].append(needle)

    def close(self) -> None:
        """Forget the secrets."""
        shutil.rmtree(self.folder)


running: Sweep | None = None
"""The sweep of this run, where there is one."""


def search(folder: Path) -> None:
    """Search *folder*, which is about to be deleted."""
    if running is not None:
        running.search(folder)
