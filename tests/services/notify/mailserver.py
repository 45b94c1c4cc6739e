"""A real mail server that answers as a test wants it to."""

import asyncio
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from infra.local import ports
from services.up.sink import read
from tests.services.projections.worlds import until


@dataclass
class MailServer:
    """
    Listens while it is entered; takes every mail for which nothing else is said.

    Attributes:
        recipients: Answers to RCPT, by address.
        contents: Answers at the end of DATA, by address.
        takes: How many seconds it takes to answer there, by address.
        senders: The answer to MAIL.
        tried: Every address that was named in RCPT, in order.
        received: What was taken, in order.
        tls: For STARTTLS; None: it isn't offered.
        any_script: Whether SMTPUTF8 is offered.
    """

    recipients: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    takes: dict[str, float] = field(default_factory=dict)
    senders: str | None = None
    tried: list[str] = field(default_factory=list)
    received: list[EmailMessage] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    any_script: bool = False
    port: int = field(default_factory=ports.free_port)

    def __enter__(self) -> Self:
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ready_timeout=5,
            tls_context=self.tls,
            enable_SMTPUTF8=self.any_script,
        )
        self._controller.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._controller.stop(no_assert=True)

    @property
    def addresses(self) -> list[str]:
        """To whom mail was taken, in order."""
        return [str(mail["To"]) for mail in self.received]

    async def has(self, count: int) -> None:
        """Wait until so many mails were taken."""

        async def enough() -> bool:
            return len(self.received) >= count

        await until(enough, 30)

    async def was_tried(self, address: str, times: int = 1) -> None:
        """Wait until *address* was named so often."""

        async def enough() -> bool:
            return self.tried.count(address) >= times

        await until(enough, 30)

    async def handle_MAIL(  # noqa: N802 -- This and the others are aiosmtpd's names.
        self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.senders is not None:
            return self.senders
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        self.tried.append(address)
        if address in self.recipients:
            return self.recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        for address in envelope.rcpt_tos:
            await asyncio.sleep(self.takes.get(address, 0))
            if address in self.contents:
                return self.contents[address]
        content = envelope.content
        self.received.append(read(content if isinstance(content, bytes) else b""))
        return "250 Taken"
