"""Moments on the wire: RFC 3339, UTC, whole milliseconds, one spelling only."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def from_milliseconds(milliseconds: int) -> datetime:
    """Milliseconds since the Unix epoch, as Kafka counts them, to an aware UTC moment."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_milliseconds(moment: datetime) -> int:
    """An aware moment to whole milliseconds since the Unix epoch, rounded down."""
    return (moment - _EPOCH) // _MILLISECOND


def write_moment(moment: datetime) -> str:
    """
    Spell *moment* as the log does: ``2026-11-24T09:42:00.000Z``.

    Raises:
        ValueError: *moment* is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("A moment must carry its time zone.")
    # Not by strftime, whose %Y has fewer than four digits before the year 1000.
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def read_moment(text: object) -> datetime:
    """
    Read the one spelling that `write_moment` writes; an aware datetime passes through.

    Raises:
        ValueError: Any other spelling, or no such day.
    """
    if isinstance(text, datetime):
        if text.tzinfo is None:
            raise ValueError("A moment must carry its time zone.")
        return text
    if not isinstance(text, str) or not _SHAPE.fullmatch(text):
        raise ValueError("A moment is written like 2026-11-24T09:42:00.000Z.")
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)


Moment = Annotated[datetime, BeforeValidator(read_moment), PlainSerializer(write_moment)]
"""A pydantic field for a moment, in the wire's spelling."""
