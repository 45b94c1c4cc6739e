"""What is postponed of one partition: when to try it again, and how much of it there may be."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.notify.ports import MOST_POSTPONED, MailUnavailableError, Postponed

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=30)
"""Each pause is twice the one before, up to this."""

TRIES_BEFORE_GIVING_UP: Final = 3
"""
A postponed mail that was tried again less often than this isn't given up for another's sake. Where
that many are postponed at once, it is the server, and not the mailboxes: a limit, a grey list.
"""


class TooManyPostponedError(MailUnavailableError):
    """One more mail can't be postponed, and none of the postponed ones is to be given up yet."""


@dataclass(slots=True)
class _Tries:
    again: int
    pause: timedelta
    due: datetime


class Waiting:
    """
    The postponed mails of a partition, the oldest first.

    Args:
        first_pause: Between the first try and the second.
        postponed: Those that are known already.
        now: They are due a first pause after this.
    """

    def __init__(
        self, first_pause: timedelta, postponed: Iterable[Postponed], now: datetime
    ) -> None:
        self._first_pause = first_pause
        self._tries: dict[Postponed, _Tries] = {}
        for one in postponed:
            self._tries[one] = _Tries(0, first_pause, now + first_pause)

    def all(self) -> tuple[Postponed, ...]:
        """All of them, the oldest first."""
        return tuple(self._tries)

    def __contains__(self, one: Postponed) -> bool:
        return one in self._tries

    def due(self, now: datetime) -> list[Postponed]:
        """Those whose pause is over."""
        return [one for one, tries in self._tries.items() if tries.due <= now]

    def next_due(self) -> datetime | None:
        """When the first of them is due; None where there are none."""
        return min((tries.due for tries in self._tries.values()), default=None)

    def postpone(self, one: Postponed, now: datetime) -> Postponed | None:
        """
        Postpone *one*, for longer where it was postponed already.

        Returns:
            The oldest one, where it is given up for this.

        Raises:
            TooManyPostponedError: None is given up yet, and so *one* isn't postponed.
        """
        if (tries := self._tries.get(one)) is not None:
            tries.again += 1
            tries.pause = min(tries.pause * 2, LONGEST_PAUSE)
            tries.due = now + tries.pause
            return None
        given_up = None
        if len(self._tries) >= MOST_POSTPONED:
            given_up = next(iter(self._tries))
            if self._tries[given_up].again < TRIES_BEFORE_GIVING_UP:
                raise TooManyPostponedError(f"{MOST_POSTPONED} mails are postponed already.")
            del self._tries[given_up]
        self._tries[one] = _Tries(0, self._first_pause, now + self._first_pause)
        return given_up

    def done(self, one: Postponed) -> None:
        """It is dealt with, or was never postponed."""
        self._tries.pop(one, None)
