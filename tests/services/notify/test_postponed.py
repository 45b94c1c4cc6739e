"""When a postponed mail is tried again, and which one is given up."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notify.ports import MOST_POSTPONED, Postponed
from services.notify.postponed import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    TRIES_BEFORE_GIVING_UP,
    TooManyPostponedError,
    Waiting,
)

NOW = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
ONE = Postponed(1)


def waiting(*postponed: Postponed) -> Waiting:
    return Waiting(FIRST_PAUSE, postponed, NOW, 0)


def test_pauses_grow_up_to_a_longest() -> None:
    made, now, pauses = waiting(), NOW, list[timedelta]()
    for _ in range(8):
        assert made.postpone(ONE, now, 0) is None
        due = made.next_due()
        assert due is not None
        assert made.due(due - timedelta(seconds=1)) == []
        assert made.due(due) == [ONE]
        pauses.append(due - now)
        now = due
    minutes = [pause // timedelta(minutes=1) for pause in pauses]
    assert minutes == [1, 2, 4, 8, 16, 30, 30, 30]
    assert max(pauses) == LONGEST_PAUSE


def test_one_that_is_known_from_before_waits_for_a_first_pause() -> None:
    made = waiting(ONE)
    assert made.due(NOW) == []
    assert made.next_due() == NOW + FIRST_PAUSE


def test_what_is_done_is_tried_no_more() -> None:
    made = waiting(ONE, Postponed(2))
    made.done(ONE)
    made.done(Postponed(3))
    assert made.all() == (Postponed(2),)
    assert made.due(NOW + FIRST_PAUSE) == [Postponed(2)]


class TestTooMany:
    def full(self) -> Waiting:
        return waiting(*(Postponed(n) for n in range(MOST_POSTPONED)))

    def test_none_is_given_up_that_was_hardly_tried(self) -> None:
        """A grey list lets it through soon."""
        made = self.full()
        for _ in range(TRIES_BEFORE_GIVING_UP - 1):
            made.postpone(Postponed(0), NOW, 1)
        with pytest.raises(TooManyPostponedError):
            made.postpone(Postponed(99), NOW, 1)
        assert made.all() == tuple(Postponed(n) for n in range(MOST_POSTPONED))

    def test_none_is_given_up_while_the_server_takes_nothing(self) -> None:
        """It is the server: everything waits. That it works again counts from the next try."""
        made = self.full()
        for _ in range(TRIES_BEFORE_GIVING_UP):
            made.postpone(Postponed(0), NOW, 0)
        for accepted in range(2):
            with pytest.raises(TooManyPostponedError):
                made.postpone(Postponed(99), NOW, accepted)
        assert made.all() == tuple(Postponed(n) for n in range(MOST_POSTPONED))

    def test_the_oldest_is_given_up_that_is_put_off_while_others_are_taken(self) -> None:
        made = self.full()
        for _ in range(TRIES_BEFORE_GIVING_UP):
            made.postpone(Postponed(0), NOW, 1)
        assert made.postpone(Postponed(99), NOW, 1) == Postponed(0)
        assert made.all() == (*(Postponed(n) for n in range(1, MOST_POSTPONED)), Postponed(99))
