"""What a command is told (its settings), and how it tells text that others wrote."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.settings import Settings


def folder() -> Path:
    """Where `twofold up` keeps its things."""
    return Path(os.environ.get("TWOFOLD_FOLDER", ".twofold"))


def settings() -> "Settings":
    """
    The settings.

    Where the environment names no mode, and `twofold up` ran in this folder, its own hold; single
    variables still override them. What the command's parts log is written, without local
    variables, to standard error, and only where ``TWOFOLD_LOG`` asks for it: whatever goes wrong is
    told in a sentence.
    """
    from services import logs  # noqa: PLC0415 -- Slow to import, as the next.
    from services.settings import Settings  # noqa: PLC0415

    logs.configure("command", level="CRITICAL")
    if "TWOFOLD_MODE" not in os.environ:
        from services.up.places import recall  # noqa: PLC0415

        for name, value in recall(folder()).items():
            os.environ.setdefault(name, value)
    return Settings()


def visible(text: str) -> str:
    """
    *text* for a terminal: what would move the cursor, turn the line or hide is spelled out.

    Records are shown that anybody with access to Kafka wrote.
    """
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode()
        for one in text
    )
