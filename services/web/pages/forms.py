"""Forms as browsers send them, read strictly."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from services.web.problems import Problem

_MOST_FIELDS: Final = 30
_KEY = re.compile(r"[A-Za-z0-9_-]{32}")
_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"


class Form:
    """What a form's fields hold, as typed."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Exactly what the field holds; empty where there is none."""
        return self._fields.get(name, "")

    def line(self, name: str) -> str:
        """What the field holds, without white space around it."""
        return self.text(name).strip()

    def code(self, name: str = "code") -> str | None:
        """
        An authenticator's code, without the spaces that apps show it with; None: left empty.

        What else is in it stays: whether that is a code is decided where it is checked.
        """
        return self.text(name).replace(" ", "").replace("\N{NO-BREAK SPACE}", "") or None

    @property
    def key(self) -> str | None:
        """The idempotency key that the form was made with: sent twice, it acts once."""
        key = self.text("once")
        return key if _KEY.fullmatch(key) else None


async def read_form(request: Request) -> Form:
    """
    Read *request*'s body.

    Raises:
        Problem: 415 where it is no form; 400 where a field stands twice or holds NUL, or what is no
            UTF-8.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise Problem(415, "unsupported-media-type", "The body must be a form's.")
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise _bad() from None
    fields = dict(pairs)
    if len(fields) != len(pairs) or any("\0" in part for pair in pairs for part in pair):
        raise _bad()
    return Form(fields)


def _bad() -> Problem:
    return Problem(400, "bad-request", "The form can't be understood.")
