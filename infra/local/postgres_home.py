"""Who runs PostgreSQL, and where its data is: it refuses root, so that root lends it a user."""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import PrerequisiteMissingError
from infra.local.process_ids import primary_group

_ELSEWHERE = Path("/var/lib/twofold")  # For root, where the stack's folder is closed to others.
_REMEMBERED = "postgres-folder"


@dataclass(frozen=True, slots=True)
class Home:
    """
    A folder for PostgreSQL's data.

    Attributes:
        folder: Owned by *user*, closed to everyone else.
        user: Whom the server runs as; None for the one who runs this.
        shared: Where programs go that *user* must be able to run; None for the own cache.
    """

    folder: Path
    user: str | None
    shared: Path | None


def home(stack: Path) -> Home:
    """
    Make PostgreSQL's folder for the stack in *stack*, or find the one that an earlier start made.

    For root it lies within *stack* where that user can get there, else under /var/lib/twofold; no
    folder above is opened to anyone. Where it lies stands in *stack*.

    Raises:
        PrerequisiteMissingError: Root has no other user to lend.
    """
    if os.geteuid() != 0:
        folder = stack / "postgres"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Home(folder, None, None)
    user = _lent_user()
    remembered = stack / _REMEMBERED
    if remembered.exists():
        folder = Path(remembered.read_text().strip())
    elif _can_enter(user, stack):
        folder = stack / "postgres"
    else:
        digest = hashlib.sha256(str(stack.resolve()).encode()).hexdigest()
        folder = _ELSEWHERE / digest[:12]
    for parent in (_ELSEWHERE, folder) if folder.is_relative_to(_ELSEWHERE) else (folder,):
        parent.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o700)
    os.chown(folder, pwd.getpwnam(user).pw_uid, primary_group(user))
    remembered.write_text(f"{folder}\n")
    return Home(folder, user, _ELSEWHERE)


def forget(stack: Path) -> None:
    """Delete the data of the stack in *stack*. Its server must not be running."""
    remembered = stack / _REMEMBERED
    if remembered.exists():
        folder = Path(remembered.read_text().strip())
        if folder.parent in {_ELSEWHERE, stack.resolve(), stack}:
            shutil.rmtree(folder, ignore_errors=True)
        remembered.unlink()
    shutil.rmtree(stack / "postgres", ignore_errors=True)


def _lent_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise PrerequisiteMissingError(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: make "
        "one (useradd --system postgres), or run this as another user."
    )


def _can_enter(user: str, folder: Path) -> bool:
    entering = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder.resolve())]
    group = primary_group(user)
    return (
        subprocess.run(
            entering, user=user, group=group, extra_groups=[], cwd="/", capture_output=True,
            check=False,
        ).returncode
        == 0
    )  # fmt: skip
