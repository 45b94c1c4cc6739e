"""What stands in an e-mail."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from events.facts import Counted, Position
from events.staff import StaffForgotten
from services.notify import writing
from services.notify.notices import Notice
from services.notify.ports import MailRefusedError
from services.notify.smtp import message
from services.notify.writing import Writing, ticket

AT = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
LINK = "6ec23888-5604-4208-8c15-436ea5f39c5d"
WRITING = Writing("https://login.example/", b"k" * 32)
COUNTED = Counted(
    StaffForgotten(), "event-1", "s", "d" * 64, AT, Position("g", 0, 1), "system", "c"
)
VALUES = {
    "expires": AT, "count": 3, "effective": AT, "by": "the support team", "reason": "Lost phone.",
}  # fmt: skip
TEMPLATES = sorted(
    path.stem for path in (Path(writing.__file__).parent / "templates").glob("*.txt")
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_can_be_written(template: str) -> None:
    link = LINK if template.startswith("link_") else None
    mail = WRITING.write(Notice(template, link=link, values=VALUES), COUNTED, "ada@example.org")
    assert mail.subject
    assert "\n" not in mail.subject
    assert mail.text.startswith("Hello,")
    assert mail.message_id == f"<{'d' * 64}.{template}@twofold>"
    assert "None" not in mail.text


def test_a_link_is_in_both_parts_and_its_digest_alone_in_the_event() -> None:
    mail = WRITING.write(
        Notice("link_invited", link=LINK, values=VALUES), COUNTED, "ada@example.org"
    )
    expected = f"https://login.example/password/{ticket(LINK, b'k' * 32)}"
    assert expected in mail.text.splitlines()
    assert f'href="{expected}"' in mail.html
    assert "24 November 2026, 09:42 UTC" in mail.text
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", ticket(LINK, b"k" * 32))
    assert sha256(ticket(LINK, b"k" * 32).encode()).hexdigest() not in mail.text


def test_the_same_event_gives_the_same_message_id_and_another_person_another() -> None:
    due = Notice("mandatory", values=VALUES)
    first, again = (WRITING.write(due, COUNTED, "a@example.org", copy="1") for _ in range(2))
    other = WRITING.write(due, COUNTED, "b@example.org", copy="2")
    assert first.message_id == again.message_id != other.message_id


def test_another_event_under_the_same_id_gives_another_message_id() -> None:
    due = Notice("password_changed")
    later = replace(COUNTED, digest="e" * 64)
    first, second = (WRITING.write(due, one, "a@example.org") for one in (COUNTED, later))
    assert first.message_id != second.message_id


def test_a_message_has_plain_text_first_and_is_marked_as_automatic() -> None:
    mail = WRITING.write(Notice("password_changed"), COUNTED, "ada@example.org")
    written = message(mail, "Twofold <no-reply@example.org>")
    assert [part.get_content_type() for part in written.iter_parts()] == [
        "text/plain",
        "text/html",
    ]
    assert written["Auto-Submitted"] == "auto-generated"
    assert written["To"] == "ada@example.org"
    assert all(len(line) <= 998 for line in written.as_bytes().splitlines())


@pytest.mark.parametrize(
    "address",
    [
        "a@[", "a\u2028b@x.example", "a\x85b@x.example", "a:b@c", "a@b(", ".@.", "a\r\nBcc: v@x",
        "=?utf-8?q?=0d=0aBcc:_x?=@b", "a@=?utf-8?q?=0d=0aBcc:=20v=40x.example?=",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_for_good_and_writes_no_header(address: str) -> None:
    mail = WRITING.write(Notice("password_changed"), COUNTED, address)
    with pytest.raises(MailRefusedError):
        message(mail, "Twofold <no-reply@example.org>")


def test_an_address_of_another_script_is_written() -> None:
    mail = WRITING.write(Notice("password_changed"), COUNTED, "é@ü.example")
    assert message(mail, "Twofold <no-reply@example.org>")["To"] == "é@ü.example"
