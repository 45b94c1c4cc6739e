"""Guessing: what pauses, for how long, and what is closed for good."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.credentials import Failures
from events.person import KEPT_LINKS, Person
from services.auth.domain import throttle
from tests.services.auth.domain.people import DEVICE, NOW, enrolled, failures, link, person


def failed_at(*seconds: int) -> Failures:
    """A failure so many seconds after `NOW` each, oldest first."""
    recent = tuple(NOW + timedelta(seconds=at) for at in seconds)
    return Failures(in_a_row=len(recent), recent=recent)


class TestLoginPause:
    @pytest.mark.parametrize(
        ("count", "pause"),
        [
            (0, 0), (3, 0), (4, 2), (5, 5), (6, 10), (7, 10), (8, 30), (9, 30), (10, 60),
            (14, 60), (15, 300), (19, 300), (20, 900), (1000, 900),
        ],
    )  # fmt: skip
    def test_grows_with_failures(self, count: int, pause: int) -> None:
        assert throttle.login_pause(failures(count), NOW) == timedelta(seconds=pause)

    def test_as_many_failures_are_kept_as_the_longest_takes(self) -> None:
        some = Failures()
        for _ in range(25):
            some = some.failed(NOW)
        assert throttle.login_pause(some, NOW) == timedelta(minutes=15)

    def test_runs_from_the_newest_failure(self) -> None:
        some = failed_at(-40, -30, -20, -10, 0)
        assert throttle.login_pause(some, NOW + timedelta(seconds=4)) == timedelta(seconds=1)
        assert throttle.login_pause(some, NOW + timedelta(seconds=5)) == timedelta(0)

    def test_a_failure_of_an_hour_ago_counts_no_more(self) -> None:
        assert throttle.login_pause(failed_at(-3599, 0, 0, 0), NOW) == timedelta(seconds=2)
        assert throttle.login_pause(failed_at(-3600, 0, 0, 0), NOW) == timedelta(0)

    def test_fades_with_time_alone(self) -> None:
        """A success doesn't reset it: it would tell that there was one."""
        some = failures(20)
        assert throttle.login_pause(some.row_ended(), NOW) == timedelta(minutes=15)
        assert throttle.login_pause(some, NOW + timedelta(hours=1)) == timedelta(0)

    def test_a_known_device_has_its_own(self) -> None:
        somebody = person(failed_logins=failures(20), device_failures={DEVICE: failures(1)})
        assert throttle.lane(somebody, None) == failures(20)
        assert throttle.lane(somebody, DEVICE) == failures(1)
        assert throttle.lane(person(failed_logins=failures(20)), DEVICE) == Failures()


class TestCodesPaused:
    @pytest.mark.parametrize(
        ("in_a_row", "seconds"),
        [(4, 0), (5, 30), (9, 30), (10, 60), (15, 120), (25, 480), (30, 900), (99, 900)],
    )
    def test_after_five_and_each_five_more(self, in_a_row: int, seconds: int) -> None:
        some = failures(in_a_row)
        if seconds:
            before = NOW + timedelta(seconds=seconds - 1)
            assert throttle.codes_paused(some, before)
        assert not throttle.codes_paused(some, NOW + timedelta(seconds=seconds))

    def test_they_are_paused_from_the_newest_on(self) -> None:
        some = failed_at(-80, -60, -40, -20, 0)
        assert throttle.codes_paused(some, NOW + timedelta(seconds=29))
        assert not throttle.codes_paused(some, NOW + timedelta(seconds=30))

    def test_a_success_ends_the_row(self) -> None:
        assert not throttle.codes_paused(failures(50).row_ended(), NOW)


def test_the_hundredth_closes_and_not_the_one_before() -> None:
    assert throttle.password_disabled(person(wrong_passwords=failures(100)), None)
    assert not throttle.password_disabled(person(wrong_passwords=failures(99)), None)
    assert not throttle.password_disabled(person(wrong_passwords=failures(100)), DEVICE)
    guessing = person(device_failures={DEVICE: failures(100)})
    assert throttle.password_disabled(guessing, DEVICE)
    assert not throttle.password_disabled(guessing, None)
    assert enrolled(wrong_codes=failures(100)).suspended
    assert enrolled(wrong_link_codes=failures(100)).suspended
    assert not enrolled(wrong_codes=failures(99), wrong_link_codes=failures(99)).suspended


MINUTE = timedelta(minutes=1)


def issued(somebody: Person, at: datetime, **changes: Any) -> Person:
    """The same after a link that was asked for *at*."""
    new = link(expires=at + throttle.LINK_LIVES, **changes)
    asked = (*somebody.links_asked_for, at)[-KEPT_LINKS:]
    return somebody.model_copy(update={"link": new, "links_asked_for": asked})


class TestMayHaveLink:
    @given(st.lists(st.integers(0, 20 * 60), max_size=60))
    def test_there_is_always_a_good_one_or_one_to_be_had(self, waits: list[int]) -> None:
        """Whenever a stranger asks, and however often."""
        somebody, now, all_of_them = person(), NOW, list[datetime]()
        for seconds in waits:
            # Just before the next one is asked for, just as one lapses, and as it is asked for.
            lapses = somebody.link.expires if somebody.link else now
            for at in sorted({lapses, now + timedelta(seconds=seconds)}):
                good = throttle.link_is_good(somebody, at)
                assert good or throttle.may_have_link(somebody, at)
            now += timedelta(seconds=seconds)
            if throttle.may_have_link(somebody, now):
                somebody = issued(somebody, now)
                all_of_them.append(now)
        for one in all_of_them:
            within = [other for other in all_of_them if one <= other < one + 60 * MINUTE]
            assert len(within) <= throttle.LINKS_AN_HOUR

    def test_whoever_asks_twice_is_left_alone_for_half_an_hour(self) -> None:
        """A stranger's third would kill the link that its owner is just about to use."""
        somebody = issued(issued(person(), NOW), NOW + MINUTE)
        assert not throttle.may_have_link(somebody, NOW + 29 * MINUTE)
        assert throttle.may_have_link(somebody, NOW + 30 * MINUTE)

    @pytest.mark.parametrize("end", [{"spent": True}, {"wrong_codes": throttle.LINK_KILLED_AT}])
    def test_whoever_uses_two_up_has_a_third_at_once_and_no_fourth(self, end: Any) -> None:
        somebody = issued(issued(person(), NOW), NOW + MINUTE, **end)
        assert throttle.may_have_link(somebody, NOW + 2 * MINUTE)
        somebody = issued(somebody, NOW + 2 * MINUTE, **end)
        assert not throttle.may_have_link(somebody, NOW + 59 * MINUTE)
        assert throttle.may_have_link(somebody, NOW + 60 * MINUTE)
