"""How templates write moments, spans and counts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from markupsafe import Markup

from events.moments import write_moment


def moment(at: datetime) -> Markup:
    """``24 November 2026, 09:42 UTC``; with JavaScript it is told in the reader's own time."""
    utc = at.astimezone(UTC)
    text = f"{utc.day} {utc:%B %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(write_moment(utc), text)


def span(lasts: timedelta) -> str:
    """How long, rounded up so that nobody comes back too early: ``2 minutes``, ``1 hour``."""
    seconds = max(1, -(-lasts // timedelta(seconds=1)))
    if seconds < 60:
        return count(seconds, "second")
    minutes = -(-seconds // 60)
    if minutes < 60:
        return count(minutes, "minute")
    hours, rest = divmod(minutes, 60)
    return count(hours, "hour") + (f" {count(rest, 'minute')}" if rest else "")


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 person``, ``2 people``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def groups(text: str) -> str:
    """A secret for typing, in groups of four."""
    plain = text.replace(" ", "")
    return " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))


_LOGINS: Final[Mapping[str, str]] = {
    "password_expired": "Right password, but it had expired: a new one was asked for",
    "reset_required": "Right password, but a new one is required: a link was e-mailed",
    "two_factor_mandatory": "Right password without two-factor authentication: a link was e-mailed",
    "wrong_code": "Right password, wrong code",
    "code_already_used": "Right password, but the code had been used before",
    "codes_paused": "Right password while codes were paused after wrong ones",
    "authenticator_suspended": "Right password, but the authenticator is suspended",
    "password_disabled": "Right password, but it is disabled after too many wrong ones",
    "deactivated": "Right password, but the account is deactivated",
    "wrong_password": "Wrong password",
}


_LINKS: Final[Mapping[str, str]] = {
    "wrong_code": "E-mailed link, wrong code",
    "code_already_used": "E-mailed link, but the code had been used before",
    "authenticator_suspended": "E-mailed link, but the authenticator is suspended",
}


def login(purpose: str, outcome: str, *, two_factor: bool) -> str:
    """What became of a login or a code, for its owner and those who look after them."""
    if outcome == "succeeded":
        return "Logged in with password and code" if two_factor else "Logged in with password alone"
    if purpose == "link":
        return _LINKS.get(outcome, "E-mailed link, refused")
    told = _LOGINS.get(outcome, "Not logged in")
    return f"{told}, in an open session" if purpose == "step_up" else told


_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Mac OS X", "a Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def source(address: str, user_agent: str) -> str:
    """Where a request came from: ``203.0.113.7, Firefox on Linux``."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    known = f"{browser} on {system}" if browser and system else browser
    return ", ".join(part for part in (address, known or "another program") if part)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "moment": moment,
    "span": span,
    "count": count,
    "groups": groups,
}
