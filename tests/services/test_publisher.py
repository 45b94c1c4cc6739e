"""A publisher's own client: which outcomes it takes for its own."""

from datetime import UTC, datetime

from events.command_wire import CommandOutcome, write_outcome
from services.publisher import _read

OUTCOME = CommandOutcome(command_id="one", outcome="accepted", position="g:0:1")
WRITTEN = write_outcome(OUTCOME, "billing", event_id="id", now=datetime.now(UTC))


def test_the_outcome_of_another_publishers_command_is_no_answer() -> None:
    """It may have taken the same command id."""
    assert _read(WRITTEN, "billing") == OUTCOME
    assert _read(WRITTEN, "payroll") is None


def test_an_outcome_that_names_no_publisher_is_taken() -> None:
    """A staff service of before doesn't name one."""
    unnamed = WRITTEN.replace(b'"publisher": "billing", ', b"")
    assert unnamed != WRITTEN
    assert _read(unnamed, "payroll") == OUTCOME


def test_what_is_no_outcome_is_none() -> None:
    for value in (None, b"", b"[]", b"null", b"\xff", b'{"data": 1}'):
        assert _read(value, "billing") is None
