"""Moments, spans and counts in words."""

from datetime import UTC, datetime, timedelta

import pytest

from services.web.pages import words


class TestSpan:
    @pytest.mark.parametrize(
        ("lasts", "text"),
        [
            (timedelta(0), "1 second"),
            (timedelta(milliseconds=1), "1 second"),
            (timedelta(seconds=59), "59 seconds"),
            (timedelta(seconds=61), "2 minutes"),
            (timedelta(minutes=60), "1 hour"),
            (timedelta(minutes=61), "1 hour 1 minute"),
        ],
    )
    def test_is_rounded_up(self, lasts: timedelta, text: str) -> None:
        assert words.span(lasts) == text


class TestMoment:
    def test_is_told_in_utc_and_to_programs(self) -> None:
        told = words.moment(datetime(2026, 11, 3, 9, 42, 1, tzinfo=UTC))
        expected = '<time datetime="2026-11-03T09:42:01.000Z">3 November 2026, 09:42 UTC</time>'
        assert str(told) == expected


class TestSource:
    @pytest.mark.parametrize(
        ("user_agent", "text"),
        [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
             "Firefox on Linux"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
             "Safari on iPhone"),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0",
             "Edge on Windows"),
            ("curl/8.5", "another program"),
        ],
    )  # fmt: skip
    def test_names_browser_and_system(self, user_agent: str, text: str) -> None:
        assert words.source("203.0.113.7", user_agent) == f"203.0.113.7, {text}"


class TestLogin:
    def test_says_with_what(self) -> None:
        for two_factor, told in ((True, "password and code"), (False, "password alone")):
            said = words.login("login", "succeeded", two_factor=two_factor)
            assert said == f"Logged in with {told}"

    @pytest.mark.parametrize(
        ("purpose", "outcome", "told"),
        [
            ("login", "wrong_password", "Wrong password"),
            ("step_up", "wrong_code", "Right password, wrong code, in an open session"),
            ("link", "wrong_code", "E-mailed link, wrong code"),
            ("link", "codes_paused", "E-mailed link, refused"),
        ],
    )
    def test_says_where_it_was_refused(self, purpose: str, outcome: str, told: str) -> None:
        assert words.login(purpose, outcome, two_factor=False) == told
