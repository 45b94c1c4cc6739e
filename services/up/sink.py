"""
The development mail server: takes every mail on loopback, and leaves each as a file.

Nothing of a mail is ever printed: the files, readable by their owner alone, are where links appear.
"""

import os
import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

LINKS = "links.txt"
NEWEST = "newest"
_LINK = re.compile(r"https?://\S+/password/[A-Za-z0-9_-]+")


class MailSink:
    """
    Listens from `start` to `stop`.

    Args:
        folder: Where mails are left; ``links.txt`` there has each link on a line, newest last.
        port: On 127.0.0.1.
    """

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._controller = Controller(
            _Handler(folder), hostname="127.0.0.1", port=port, ready_timeout=5
        )

    def start(self) -> None:
        """
        Listen.

        Raises:
            OSError: The port is taken.
        """
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop(no_assert=True)


class _Handler:
    """Called by aiosmtpd, on a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(  # noqa: N802 -- aiosmtpd's name.
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        keep(self._folder, content if isinstance(content, bytes) else (content or "").encode())
        return "250 Kept"


def keep(folder: Path, content: bytes) -> Path:
    """Leave a mail in *folder*; a copy of one that is there already (by Message-ID) replaces it."""
    mail = read(content)
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", str(mail["Message-ID"] or "")).strip("_.") or "unnamed"
    now = datetime.now(UTC)
    for copy in folder.glob(f"*--{name}.eml"):
        copy.unlink()
    path = folder / f"{now:%Y%m%dT%H%M%S.%f}--{name}.eml"
    _write(path, content)
    for url in links(mail):
        line = f"{now:%Y-%m-%d %H:%M:%S}  {mail['To']}  {mail['Subject']}  {url}\n"
        _append(folder / LINKS, line)
    latest = folder / NEWEST
    latest.unlink(missing_ok=True)
    latest.symlink_to(path.name)
    return path


def links(mail: EmailMessage) -> list[str]:
    """Addresses of password links in a mail's plain text."""
    body: Any = mail.get_body(("plain",))
    return _LINK.findall(body.get_content()) if body is not None else []


def read(content: bytes) -> EmailMessage:
    """A mail, as it came."""
    return message_from_bytes(content, policy=policy.default)


def _append(path: Path, line: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with os.fdopen(os.open(path, flags, 0o600), "a") as file:
        file.write(line)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.rename(path)
