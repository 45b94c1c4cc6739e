"""Failures, told on one line of a terminal."""

from services.cli.failures import FailureError, sentence


def test_what_others_wrote_is_spelled_out() -> None:
    """Outcomes aren't signed: whoever writes to their topic must not write to the terminal."""
    forged = FailureError("Rejected (no): \x1b]0;title\x07\x1b[2J\x9b1;1HAccepted. \u202edone")
    assert sentence(forged) == (
        r"Rejected (no): \x1b]0;title\x07\x1b[2J\x9b1;1HAccepted. \u202edone"
    )
    assert sentence(FailureError("Two\nlines – é")) == "Two lines – é"
