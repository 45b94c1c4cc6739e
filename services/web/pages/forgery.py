"""
Requests that another site made somebody's browser send: told apart and refused.

Three lines, each enough by itself in a current browser: the session's cookie is SameSite=Lax; the
request says that it comes from our own pages (Origin, Sec-Fetch-Site); and every form, login
included, carries an HMAC over a random cookie and the session's token (a signed double submit).
"""

import hmac
import re
import secrets
from hashlib import sha256
from typing import Final

from starlette.requests import Request

from events.vault.sealing import to_text
from services.web.pages.cookies import FORGERY, SESSION, cookies_of
from services.web.problems import Problem

_RANDOM = re.compile(r"[A-Za-z0-9_-]{43}")
_BYTES: Final = 32


class Forgery:
    """Makes the forms' tokens, and checks them."""

    def __init__(self, key: bytes, origin: str) -> None:
        """
        Args:
            key: 32 bytes for this alone.
            origin: Where our own pages are.
        """
        self._key, self._origin = key, origin

    def random_half(self, request: Request) -> str | None:
        """The browser's cookie, where it is well-formed."""
        found = cookies_of(request).get(FORGERY, "")
        return found if _RANDOM.fullmatch(found) else None

    def new_half(self) -> str:
        """A value for the cookie."""
        return secrets.token_urlsafe(_BYTES)

    def token(self, half: str, session: str) -> str:
        """What a form carries: bound to the cookie, and to the session's token, or its absence."""
        return to_text(hmac.digest(self._key, f"{half}.{session}".encode(), sha256))

    def check(self, request: Request, token: str) -> None:
        """
        Let through what one of our own forms sent.

        Raises:
            Problem: 403.
        """
        half = self.random_half(request)
        expected = self.token(half or "", cookies_of(request).get(SESSION, ""))
        right = hmac.compare_digest(expected.encode(), token.encode())
        if not (self._from_our_pages(request) and half and right):
            raise Problem(403, "forged", "This request didn't come from one of our pages.")

    def _from_our_pages(self, request: Request) -> bool:
        """By what browsers alone can say; at least one of the two must be there, and none wrong."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is None and origin is None:
            return False
        return site in {None, "same-origin"} and origin in {None, self._origin}
