"""The development mail sink: files for their owner alone, one per Message-ID."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

from infra.local import ports
from services.up.sink import LINKS, MailSink, read


def mail(message_id: str, text: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@example.org", "b@example.org", "Hello"
    made["Message-ID"] = message_id
    made.set_content(text)
    return made


def test_mails_are_kept_and_links_listed(tmp_path: Path) -> None:
    folder, port = tmp_path / "mail", ports.free_port()
    sink = MailSink(folder, port)
    sink.start()
    url = "http://127.0.0.1:8000/password/abc-DEF_123"
    try:
        with smtplib.SMTP("127.0.0.1", port) as server:
            server.send_message(mail("<1@x>", f"Here:\n\n{url}\n"))
            server.send_message(mail("<../../2@x>", "No link."))
            server.send_message(mail("<../../2@x>", "The same again."))
    finally:
        sink.stop()
    kept = sorted(folder.glob("*.eml"))
    assert len(kept) == 2
    assert "The same again." in read(kept[1].read_bytes()).get_content()
    assert (folder / LINKS).read_text().split()[-1] == url
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
