"""A notice in words: the templates' plain text, and the same words as HTML."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from events.facts import Counted
from events.vault.sealing import to_text
from services.notify.notices import Notice
from services.notify.ports import Mail


@dataclass(frozen=True, slots=True)
class Writing:
    """
    What letters are written with.

    Attributes:
        auth_url: Where people reach the auth service.
        link_key: Tickets derive from it: the key ring's ``link``.
    """

    auth_url: str
    link_key: bytes

    def write(self, notice: Notice, counted: Counted, to: str, *, copy: str = "") -> Mail:
        """
        Write *notice* to the address *to*.

        Args:
            notice: What to say.
            counted: The event that it is about.
            to: An address.
            copy: Tells letters about one event to several people apart.
        """
        url = self.link(notice.link) if notice.link else None
        values: dict[str, Any] = {"at": counted.at, "login_url": self.auth_url, **notice.values}
        written = _words().get_template(f"{notice.template}.txt").render(values, url=url).strip()
        subject, _, text = written.partition("\n")
        paragraphs = [" ".join(one.split()) for one in text.strip().split("\n\n")]
        html = (
            _pages()
            .get_template("letter.html")
            .render(subject=subject, paragraphs=paragraphs, url=url)
        )
        return Mail(
            to=to,
            subject=subject,
            text=text.strip() + "\n",
            html=html,
            # An id is the caller's to repeat; a digest stands for one counted record alone.
            message_id=f"<{counted.digest}{'.' + copy if copy else ''}.{notice.template}@twofold>",
            date=counted.at,
        )

    def link(self, link_id: str) -> str:
        """The address at which the link's owner sets a new password."""
        return f"{self.auth_url.rstrip('/')}/password/{ticket(link_id, self.link_key)}"


def ticket(link_id: str, key: bytes) -> str:
    """A link's ticket; the event holds its digest alone."""
    return to_text(hmac.digest(key, link_id.encode(), sha256))


def spell(moment: datetime) -> str:
    """A moment for people: ``24 November 2026, 09:42 UTC``."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


@lru_cache(1)
def _words() -> Environment:
    # Plain text has nothing to escape; what these templates make never becomes markup unescaped.
    loader = PackageLoader("services.notify")
    words = Environment(loader=loader, undefined=StrictUndefined, autoescape=False)  # noqa: S701
    words.filters["moment"] = spell
    return words


@lru_cache(1)
def _pages() -> Environment:
    return Environment(
        loader=PackageLoader("services.notify"), undefined=StrictUndefined, autoescape=True
    )
