"""
Guessing: how failed tries slow down, pause and stop further ones.

Everything is folded from append times, so that every server pauses alike and no count can be raced
past. What a stranger can see (`login_pause`) depends on failed logins alone, of whatever cause, so
that it says nothing about who exists (ASVS 5.0 V6.3).
"""

from datetime import datetime, timedelta
from typing import Final

from events.credentials import Failures
from events.person import Person

FADES_AFTER: Final = timedelta(hours=1)
"""A failed login older than this slows nothing down."""

_PAUSES: Final = (
    (20, timedelta(minutes=15)),
    (15, timedelta(minutes=5)),
    (10, timedelta(minutes=1)),
    (8, timedelta(seconds=30)),
    (6, timedelta(seconds=10)),
    (5, timedelta(seconds=5)),
    (4, timedelta(seconds=2)),
)
"""From so many failed logins within `FADES_AFTER` on, so long a pause after the newest."""

CODES_BEFORE_PAUSE: Final = 5
_FIRST_CODE_PAUSE: Final = timedelta(seconds=30)
_LONGEST_CODE_PAUSE: Final = timedelta(minutes=15)

DISABLED_AT: Final = 100
"""So many wrong passwords in a row disable the password, except from known devices."""

LINK_KILLED_AT: Final = 5
"""So many wrong codes kill the link that they were given by."""

DISCLOSED_AT_MOST: Final = 20
"""
So often one way to a new password (a link, a login with an expired one) shows an authenticator or
tells that a password is the current one. Each is an event, and nobody needs so many.
"""

LINKS_AN_HOUR: Final = 3
LINKS_IN_A_LIFE: Final = 2
"""
So many links are issued within the life of one while the newest is good. The third comes half an
hour after the first at the earliest, and outlives the hour: whoever asks for a colleague's links,
and however often, there is always one in the mailbox or one to be had.
"""
LINK_LIVES: Final = timedelta(minutes=30)


def login_pause(failures: Failures, now: datetime) -> timedelta:
    """How long a login still has to wait; zero when it needn't."""
    recent = [at for at in failures.recent if now - at < FADES_AFTER]
    for count, pause in _PAUSES:
        if len(recent) >= count:
            return max(recent[-1] + pause - now, timedelta(0))
    return timedelta(0)


def lane(person: Person, device: str | None) -> Failures:
    """The failures that count against a login: a known device's own, or everybody's."""
    if device is None:
        return person.failed_logins
    return person.device_failures.get(device, Failures())


def codes_paused(failures: Failures, now: datetime) -> bool:
    """Whether codes are refused unlooked at, after five wrong ones in a row and each five more."""
    pauses = failures.in_a_row // CODES_BEFORE_PAUSE
    if not pauses or not failures.recent:
        return False
    doublings: int = 2 ** min(pauses - 1, 10)
    pause = min(_FIRST_CODE_PAUSE * doublings, _LONGEST_CODE_PAUSE)
    return now < failures.recent[-1] + pause


def password_disabled(person: Person, device: str | None) -> bool:
    """
    Whether even the right password opens nothing from here; the reset link stays open.

    A known device is judged by its own failures: a stolen one must not guess for ever either.
    """
    failures = person.wrong_passwords if device is None else lane(person, device)
    return failures.in_a_row >= DISABLED_AT


def link_is_good(person: Person, now: datetime) -> bool:
    """Whether the newest link still leads anywhere: not spent, not killed, not too old."""
    link = person.link
    return (
        link is not None
        and not link.spent
        and link.wrong_codes < LINK_KILLED_AT
        and now < link.expires
    )


def may_have_link(person: Person, now: datetime) -> bool:
    """
    Whether another link may be e-mailed; where not, the newest one stays good.

    Only by the mailbox can links be used up. Whoever does that has the hour's third at once, and
    then waits until the hour is over.
    """
    ages = [now - at for at in person.links_asked_for]
    in_a_life = sum(age < LINK_LIVES for age in ages)
    in_an_hour = sum(age < timedelta(hours=1) for age in ages)
    if in_an_hour >= LINKS_AN_HOUR:
        return False
    return in_a_life < LINKS_IN_A_LIFE or not link_is_good(person, now)
