"""What an examination comes to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    detail: str


def well(what: str, detail: str) -> Finding:
    """It is as it must be."""
    return Finding(what, well=True, detail=detail)


def wrong(what: str, detail: str) -> Finding:
    """It isn't; *detail* says what to do."""
    return Finding(what, well=False, detail=detail)
