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
A postponed mail that was tried again less often than this isn't given up for another's sake: a grey
list lets it through soon.
"""


class TooManyPostponedError(MailUnavailableError):
    """One more mail can't be postponed, and none of the postponed ones is to be given up yet."""


@dataclass(slots=True)
class _Tries:
    """
    Attributes:
        accepted: How many mails the server had taken when this one was postponed.
        pause: Before the next try.
        due: When that is.
        again: How often it was tried again.
        alone: Whether the server had taken another before the last try: it isn't the server.
    """

    accepted: int
    pause: timedelta
    due: datetime
    again: int = 0
    alone: bool = False

    def in_vain(self, now: datetime, accepted: int) -> None:
        self.again += 1
        self.alone = accepted > self.accepted
        self.pause = min(self.pause * 2, LONGEST_PAUSE)
        self.due = now + self.pause

    @property
    def may_be_given_up(self) -> bool:
        return self.alone and self.again >= TRIES_BEFORE_GIVING_UP


class Waiting:
    """
    The postponed mails of a partition, the oldest first.

    Args:
        first_pause: Between the first try and the second.
        postponed: Those that are known already.
        now: They are due a first pause after this.
        accepted: How many mails the server has taken so far.
    """

    def __init__(
        self,
        first_pause: timedelta,
        postponed: Iterable[Postponed],
        now: datetime,
        accepted: int,
    ) -> None:
        self._first_pause = first_pause
        self._tries: dict[Postponed, _Tries] = {}
        for one in postponed:
            self._tries[one] = _Tries(accepted, first_pause, now + first_pause)

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

    def postpone(self, one: Postponed, now: datetime, accepted: int) -> Postponed | None:
        """
        Postpone *one*, for longer where it was postponed already.

        The oldest is given up for another's sake only where the server took others' mails while it
        put this one off. Where it took none it is the server, and not the mailboxes.

        Args:
            one: What was tried in vain.
            now: When.
            accepted: How many mails the server has taken so far.

        Returns:
            The oldest one, where it is given up for this.

        Raises:
            TooManyPostponedError: None is given up yet, and so *one* isn't postponed.
        """
        if (tries := self._tries.get(one)) is not None:
            tries.in_vain(now, accepted)
            return None
        given_up = None
        if len(self._tries) >= MOST_POSTPONED:
            given_up = next(iter(self._tries))
            if not self._tries[given_up].may_be_given_up:
                raise TooManyPostponedError(f"{MOST_POSTPONED} mails are postponed already.")
            del self._tries[given_up]
        self._tries[one] = _Tries(accepted, self._first_pause, now + self._first_pause)
        return given_up

    def done(self, one: Postponed) -> None:
        """It is dealt with, or was never postponed."""
        self._tries.pop(one, None)
