"""What a mail server's answers mean for one mail, and for those behind it."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local import ports
from infra.local.kafka_security import Authority
from services.notify import smtp
from services.notify.ports import (
    Mail,
    MailDeferredError,
    MailRefusedError,
    MailUnavailableError,
)
from services.notify.smtp import HANDING_OVER, SmtpMailer
from tests.services.notify.mailserver import MailServer

ADA = "ada@example.org"


def mail(to: str = ADA) -> Mail:
    at = datetime(2026, 11, 24, 9, 42, tzinfo=UTC)
    return Mail(to, "Subject", "Text.\n", "<p>Text.</p>", "<1@twofold>", at)


def mailer(
    port: int, *, encrypted: bool = False, handing_over: timedelta = HANDING_OVER
) -> SmtpMailer:
    return SmtpMailer(
        f"127.0.0.1:{port}",
        "no-reply@example.org",
        encrypted=encrypted,
        handing_over=handing_over,
    )


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a mail server needs for STARTTLS that this process trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("mail", "127.0.0.1"))
    return context


class TestAnswers:
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ("450 4.2.1 Busy", MailDeferredError),
            ("451 4.7.1 Greylisted", MailDeferredError),
            ("452 4.2.2 Full", MailDeferredError),
            ("421 4.3.2 Going down", MailUnavailableError),
            ("550 5.1.1 Nobody", MailRefusedError),
        ],
    )
    @pytest.mark.parametrize("at", ["recipients", "contents"])
    async def test_one_mail_is_told_from_the_server(
        self, answer: str, error: type[Exception], at: str
    ) -> None:
        with MailServer(**{at: {ADA: answer}}) as server:  # type: ignore[arg-type]
            with pytest.raises(error):
                await mailer(server.port).send(mail())
            await mailer(server.port).send(mail("bob@example.org"))
        assert server.addresses == ["bob@example.org"]

    @pytest.mark.parametrize("answer", ["451 4.3.0 Not now", "550 5.7.1 Not you"])
    async def test_a_refused_sender_is_no_recipients_fault(self, answer: str) -> None:
        with MailServer(senders=answer) as server, pytest.raises(MailUnavailableError):
            await mailer(server.port).send(mail())

    async def test_no_server_is_waited_for(self) -> None:
        with pytest.raises(MailUnavailableError):
            await mailer(ports.free_port()).send(mail())


class TestTime:
    async def test_a_mail_may_take_longer_than_a_connection(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """RFC 5321 §4.5.3.2.6: else it is delivered again and again."""
        monkeypatch.setattr(smtp, "CONNECTING", timedelta(seconds=1.5))
        with MailServer(takes={ADA: 2.0}) as server:
            await mailer(server.port).send(mail())
        assert server.addresses == [ADA]

    async def test_a_mail_that_takes_too_long_is_that_mails_trouble(self) -> None:
        with MailServer(takes={ADA: 60.0}) as server, pytest.raises(MailDeferredError):
            await mailer(server.port, handing_over=timedelta(milliseconds=300)).send(mail())

    async def test_a_server_that_says_nothing_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(smtp, "CONNECTING", timedelta(milliseconds=300))
        with (
            socket.create_server(("127.0.0.1", 0)) as silent,
            pytest.raises(MailUnavailableError),
        ):
            await mailer(silent.getsockname()[1]).send(mail())


class TestEncryption:
    async def test_mail_goes_by_starttls(self, tls: ssl.SSLContext) -> None:
        with MailServer(tls=tls) as server:
            await mailer(server.port, encrypted=True).send(mail())
        assert server.addresses == [ADA]

    async def test_a_server_without_it_gets_nothing(self) -> None:
        with MailServer() as server, pytest.raises(MailUnavailableError):
            await mailer(server.port, encrypted=True).send(mail())
        assert server.tried == []

    @pytest.mark.parametrize("encrypted", [False, True])
    async def test_an_address_that_the_server_cant_write_is_refused_for_good(
        self, tls: ssl.SSLContext, encrypted: bool
    ) -> None:
        """Want of SMTPUTF8 (RFC 6531) isn't want of STARTTLS: others can be written to."""
        with MailServer(tls=tls) as server:
            with pytest.raises(MailRefusedError):
                await mailer(server.port, encrypted=encrypted).send(mail("é@example.org"))
            await mailer(server.port, encrypted=encrypted).send(mail())
        assert server.addresses == [ADA]

    async def test_a_server_that_can_is_written_to(self, tls: ssl.SSLContext) -> None:
        with MailServer(tls=tls, any_script=True) as server:
            await mailer(server.port, encrypted=True).send(mail("é@example.org"))
        assert server.addresses == ["é@example.org"]
