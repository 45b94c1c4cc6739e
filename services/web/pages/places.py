"""Where a login or a step-up may lead on to: our own pages, and nowhere else."""

import re
from dataclasses import dataclass
from typing import Final

_PATH = re.compile(r"/(?:[A-Za-z0-9_~-]+(?:/[A-Za-z0-9_~-]+)*)?(?:\?[A-Za-z0-9_~=&%+.-]*)?")
_LONGEST: Final = 500
_STAFF = re.compile(r"/staff(?![A-Za-z0-9_~-])")


@dataclass(frozen=True, slots=True)
class Places:
    """
    Both services' addresses; in production they are one origin.

    Attributes:
        auth: Of the auth service.
        staff: Of the staff service.
    """

    auth: str
    staff: str

    def own(self, path: str) -> str | None:
        """*path*, if it is one of ours: plain segments from the root; None otherwise."""
        return path if len(path) <= _LONGEST and _PATH.fullmatch(path) else None

    def address(self, path: str) -> str:
        """Where *path* is served: the staff service's begin with ``/staff``."""
        base = self.staff if _STAFF.match(path) else self.auth
        return base.rstrip("/") + path
