"""A username that nobody holds: failed tries, so that it pauses as a known one does."""

from events.credentials import Failures
from events.facts import Counted, State
from events.staff import LoginAttempted


class Stranger(State):
    failed_logins: Failures = Failures()


def evolve(stranger: Stranger, counted: Counted) -> Stranger:
    """The stranger after *counted*."""
    if isinstance(counted.fact, LoginAttempted):
        return Stranger(failed_logins=stranger.failed_logins.failed(counted.at))
    return stranger
