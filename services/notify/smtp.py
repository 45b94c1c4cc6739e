"""Mail over SMTP (RFC 5321), by aiosmtplib."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

from services.notify.ports import Mail, MailRefusedError, MailUnavailableError

_TIMEOUT = 10.0  # Seconds for each step of the conversation.


class SmtpMailer:
    """
    A `Mailer` that opens one connection per mail.

    Args:
        address: ``host:port`` of the mail server.
        sender: The ``From`` line.
        encrypted: Refuse a server without STARTTLS (RFC 3207), as production must.
    """

    def __init__(self, address: str, sender: str, *, encrypted: bool) -> None:
        self._host, _, port = address.rpartition(":")
        self._port, self._sender, self._encrypted = int(port), sender, encrypted

    async def send(self, mail: Mail) -> None:
        written = message(mail, self._sender)
        try:
            await aiosmtplib.send(
                written,
                hostname=self._host,
                port=self._port,
                start_tls=True if self._encrypted else None,
                timeout=_TIMEOUT,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(refused.code >= 500 for refused in error.recipients):
                raise MailRefusedError("The mail server refuses the address for good.") from error
            raise MailUnavailableError("The mail server refuses the address for now.") from error
        except aiosmtplib.SMTPResponseException as error:
            if isinstance(error, aiosmtplib.SMTPDataError) and error.code >= 500:
                raise MailRefusedError(f"The mail server answered {error.code}.") from error
            raise MailUnavailableError(f"The mail server answered {error.code}.") from error
        except aiosmtplib.SMTPNotSupported as error:
            if self._encrypted:
                raise MailUnavailableError("The mail server can't be used safely.") from error
            raise MailRefusedError("The mail server can't write to such an address.") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailUnavailableError(f"No mail server: {type(error).__name__}.") from error


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
