"""Moments have one spelling."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from events.moments import from_milliseconds, read_moment, to_milliseconds, write_moment

MOMENT = datetime(2026, 11, 24, 9, 42, 0, 7_000, UTC)


def test_a_moment_is_spelt_in_utc_with_whole_milliseconds() -> None:
    assert write_moment(MOMENT) == "2026-11-24T09:42:00.007Z"
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert write_moment(elsewhere + timedelta(microseconds=999)) == "2026-11-24T09:42:00.007Z"


def test_what_is_written_is_read() -> None:
    assert read_moment(write_moment(MOMENT)) == MOMENT
    assert read_moment(MOMENT) is MOMENT
    for year in (1, 999, 9999):
        assert read_moment(write_moment(MOMENT.replace(year=year))) == MOMENT.replace(year=year)


def test_milliseconds_round_down_and_come_back() -> None:
    assert to_milliseconds(MOMENT + timedelta(microseconds=999)) == to_milliseconds(MOMENT)
    assert from_milliseconds(to_milliseconds(MOMENT)) == MOMENT


def test_milliseconds_are_those_of_the_unix_epoch() -> None:
    assert to_milliseconds(MOMENT) == round(MOMENT.timestamp() * 1_000) == 1_795_513_320_007


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T09:42:00Z",
        "2026-11-24T09:42:00.000000Z",
        "2026-11-24T09:42:00.000+00:00",
        "2026-11-24 09:42:00.000Z",
        "2026-11-24t09:42:00.000z",
        "2026-02-30T09:42:00.000Z",
        "2026-11-24T24:42:00.000Z",
        "2026-11-24T09:42:60.000Z",
        "２０２６-11-24T09:42:00.000Z",
        "2026-11-24T09:42:00.000Z\n",
        "",
        0,
        None,
        datetime(2026, 11, 24),  # noqa: DTZ001 # The naive one is the case.
    ],
)
def test_every_other_spelling_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"moment|day|hour|second|range"):
        read_moment(text)


def test_a_naive_moment_is_not_written() -> None:
    with pytest.raises(ValueError, match="time zone"):
        write_moment(datetime(2026, 11, 24))  # noqa: DTZ001 # As above.
