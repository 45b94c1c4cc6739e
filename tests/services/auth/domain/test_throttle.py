"""Guessing: what pauses, for how long, and what is closed for good."""

from datetime import timedelta

import pytest

from events.person import Failures
from services.auth.domain import throttle
from tests.services.auth.domain.people import DEVICE, NOW, enrolled, failures, person


class TestLoginPause:
    @pytest.mark.parametrize(
        ("count", "pause"),
        [
            (0, 0), (3, 0), (4, 2), (5, 5), (6, 10), (7, 10), (8, 30), (10, 60), (15, 300),
            (20, 900), (1000, 900),
        ],
    )  # fmt: skip
    def test_grows_with_failures(self, count: int, pause: int) -> None:
        assert throttle.login_pause(failures(count), NOW) == timedelta(seconds=pause)

    def test_runs_from_the_newest_failure(self) -> None:
        some = failures(5)
        assert throttle.login_pause(some, NOW + timedelta(seconds=4)) == timedelta(seconds=1)
        assert throttle.login_pause(some, NOW + timedelta(seconds=5)) == timedelta(0)

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

    def test_a_success_ends_the_row(self) -> None:
        assert not throttle.codes_paused(failures(50).row_ended(), NOW)


def test_the_hundredth_closes_and_not_the_one_before() -> None:
    assert throttle.password_disabled(person(wrong_passwords=failures(100)), None)
    assert not throttle.password_disabled(person(wrong_passwords=failures(99)), None)
    assert not throttle.password_disabled(person(wrong_passwords=failures(100)), DEVICE)
    guessing = person(device_failures={DEVICE: failures(100)})
    assert throttle.password_disabled(guessing, DEVICE)
    assert not throttle.password_disabled(guessing, None)
    assert throttle.authenticator_suspended(enrolled(wrong_codes=failures(100)))
    assert throttle.authenticator_suspended(enrolled(wrong_link_codes=failures(100)))
    assert not throttle.authenticator_suspended(
        enrolled(wrong_codes=failures(99), wrong_link_codes=failures(99))
    )
