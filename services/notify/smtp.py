"""Mail over SMTP (RFC 5321), by aiosmtplib."""

from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from services.notify.ports import (
    Mail,
    MailDeferredError,
    MailRefusedError,
    MailUnavailableError,
)

CONNECTING: Final = timedelta(seconds=10)
"""How long a server may take for each answer before the mail: connection, EHLO, STARTTLS."""

HANDING_OVER: Final = timedelta(minutes=10)
"""
How long it may take for each answer to the mail itself: who searches it for viruses is slow, and
has taken it in the end (RFC 5321 §4.5.3.2.6).
"""

_CLOSING, _FOR_GOOD = 421, 500


class SmtpMailer:
    """
    A `Mailer` that opens one connection per mail.

    Args:
        address: ``host:port`` of the mail server.
        sender: The ``From`` line.
        encrypted: Refuse a server without STARTTLS (RFC 3207), as production must.
        handing_over: How long the server may take for each answer to the mail itself.
    """

    def __init__(
        self,
        address: str,
        sender: str,
        *,
        encrypted: bool,
        handing_over: timedelta = HANDING_OVER,
    ) -> None:
        self._host, _, port = address.rpartition(":")
        self._port, self._sender, self._encrypted = int(port), sender, encrypted
        self._handing_over = handing_over

    async def send(self, mail: Mail) -> None:
        written = message(mail, self._sender)
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            start_tls=True if self._encrypted else None,
            timeout=CONNECTING.total_seconds(),
        )
        try:
            async with client:
                if client.is_ehlo_or_helo_needed:  # Behind STARTTLS: no part of the mail yet.
                    await client.ehlo()
                await _hand_over(written, client, self._handing_over)
        except aiosmtplib.SMTPNotSupported as error:
            raise MailUnavailableError("The mail server can't be used safely.") from error
        except aiosmtplib.SMTPResponseException as error:
            raise MailUnavailableError(f"The mail server answered {error.code}.") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailUnavailableError(f"No mail server: {type(error).__name__}.") from error


async def _hand_over(written: EmailMessage, client: aiosmtplib.SMTP, within: timedelta) -> None:
    """
    Tell what concerns this one mail from trouble with the server, which is aiosmtplib's to raise.

    Raises:
        MailRefusedError: For good.
        MailDeferredError: For now.
    """
    try:
        await client.send_message(written, timeout=within.total_seconds())
    except aiosmtplib.SMTPNotSupported as error:  # It is connected: this isn't about STARTTLS.
        raise MailRefusedError("The mail server can't write to such an address.") from error
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[0]) from error
    except aiosmtplib.SMTPDataError as error:
        raise _refusal(error) from error
    except aiosmtplib.SMTPTimeoutError as error:
        raise MailDeferredError("The mail server didn't answer in time.") from error


def _refusal(error: aiosmtplib.SMTPResponseException) -> Exception:
    """What the answer to a recipient, or to the mail itself, means (RFC 5321 §4.2.1, §4.2.3)."""
    words = f"The mail server answered {error.code}."
    if error.code >= _FOR_GOOD:
        return MailRefusedError(words)
    return MailUnavailableError(words) if error.code == _CLOSING else MailDeferredError(words)


def message(mail: Mail, sender: str) -> EmailMessage:
    """
    *mail* as RFC 5322 wants it, plain text first.

    Raises:
        MailRefusedError: Its address is none, or would be read as another, or as more headers.
    """
    written = EmailMessage(policy=SMTP)
    written["From"] = sender
    _to(written, mail.to)
    written["Subject"] = mail.subject
    written["Date"] = format_datetime(mail.date)
    written["Message-ID"] = mail.message_id
    written["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers.
    written.set_content(mail.text, cte="quoted-printable")
    written.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return written


def _to(written: EmailMessage, address: str) -> None:
    """
    Write the ``To`` line.

    Raises:
        MailRefusedError: *address* doesn't read as that one address: a group, a comment, an encoded
            word, whose line breaks would even become headers of their own.
    """
    try:
        written["To"] = address
        found = [one.addr_spec for one in written["To"].addresses]
    except Exception as error:  # The parser fails in many ways, some of them by mistake.
        raise MailRefusedError("The address is none.") from error
    if found != [address] or "=?" in address:
        raise MailRefusedError("The address would be read as another.")
