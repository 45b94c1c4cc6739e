"""A publisher's own client: which outcomes it takes for its own."""

from datetime import UTC, datetime

from events.command_wire import CommandOutcome, write_outcome
from events.commands import parse_command
from services.publisher import CommandSender, PublisherKey, _read, fresh_id, written_at

COMMAND = parse_command(
    "register_organisation",
    {"organisation_id": "71ad45ce-456d-41ff-b981-b99f837a25aa", "name": "Acme"},
)
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


def test_a_command_under_the_id_of_an_earlier_try_is_the_same_bytes() -> None:
    """With others it would be another command's under that id: rejected, whatever the first was."""
    first = datetime(2026, 11, 24, 9, 42, 0, 123000, tzinfo=UTC)
    command_id = fresh_id(first)
    again = written_at(command_id)
    assert again is not None
    with CommandSender("127.0.0.1:1", PublisherKey("billing", bytes(32)), audience="a/b") as sender:
        value = sender.value(COMMAND, command_id, first)
        assert sender.value(COMMAND, command_id, again) == value


def test_ids_of_one_moment_differ_and_others_hold_no_moment() -> None:
    now = datetime.now(UTC)
    assert len({fresh_id(now) for _ in range(100)}) == 100
    assert written_at("seed-1") is None
    assert written_at("71ad45ce-456d-41ff-b981-b99f837a25aa") is None
