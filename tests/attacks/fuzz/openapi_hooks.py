"""What schemathesis is told beside the documents."""

from datetime import UTC, datetime
from typing import Any

import schemathesis


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    """
    What is refused, and JSON Schema can't say so, is spelt as it is taken.

    A whole number without a point, for 578.0 is none; and a moment that isn't in UTC's years, as
    0001-01-01T00:00:00+01:00, in UTC.
    """
    match body:
        case float() if body.is_integer():
            return int(body)
        case str() if _is_outside_utc(body):
            return body[:19] + "Z"
        case dict():
            return {name: map_body(_context, member) for name, member in body.items()}
        case list():
            return [map_body(_context, member) for member in body]
        case _:
            return body


def _is_outside_utc(text: str) -> bool:
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        return True
    except ValueError:
        return False
    return False
