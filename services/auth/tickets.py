"""
Tickets: what a caller carries from one step to the next, sealed so that nobody else can make one.

Each purpose has its own key and its own length, and is bound to its ciphertext: a ticket that is
handed to another call than the one it is for is as dead as an old one. The tickets of an e-mailed
link and of a session are derived instead, from the link's id and an event's, so that they can be
made again without being kept.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal

from events import canonical
from events.keys import KeyRing
from events.moments import read_moment, write_moment
from events.vault.sealing import UnsealingError, decrypt, encrypt, from_text, to_text
from services.auth.domain.errors import TicketDeadError
from services.auth.domain.password_change import Change

Purpose = Literal["login", "expired", "change", "candidate", "device"]

_BYTES: Final[Mapping[Purpose, int]] = {
    "login": 128, "expired": 384, "change": 384, "candidate": 320, "device": 192,
}  # fmt: skip
"""Length of each purpose's plaintext, padding included."""

LOGIN_LIVES: Final = timedelta(minutes=10)
DEVICE_LIVES: Final = timedelta(days=180)
DERIVED_LENGTH: Final = 43
"""Characters of a link's or session's token: 32 bytes in base64url."""


@dataclass(frozen=True, slots=True)
class OpenedChange:
    """Whose password is being changed, and by which opened change."""

    staff_id: str
    change: Change


@dataclass(frozen=True, slots=True)
class Candidate:
    """An authenticator that was shown and isn't confirmed yet; its seed lives nowhere else."""

    staff_id: str
    change: str
    candidate: str
    seed: bytes = field(repr=False)


class Tickets:
    """Seals and opens tickets under the key ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._keys = {purpose: ring.derive(f"ticket/{purpose}") for purpose in _BYTES}
        self._link, self._session = ring.derive("link"), ring.derive("session")

    # ---- derived --------------------------------------------------------------------------------

    def link(self, link_id: str) -> str:
        """The ticket that is e-mailed for a link."""
        return _derived(self._link, link_id)

    def session(self, event_id: str) -> str:
        """The bearer token that a session got by that event: a login, or a step-up."""
        return _derived(self._session, event_id)

    # ---- sealed ---------------------------------------------------------------------------------

    def login(self, username_digest: str, now: datetime) -> str:
        """For the second screen of a login."""
        return self._seal("login", {"username": username_digest}, now + LOGIN_LIVES)

    def open_login(self, ticket: str, now: datetime) -> str:
        """
        The username's digest.

        Raises:
            TicketDeadError: It is no login's, or too old.
        """
        return str(self._open("login", ticket, now)["username"])

    def change(self, purpose: Literal["expired", "change"], opened: OpenedChange) -> str:
        """For opening a change after a login with an expired password, or for an opened one."""
        change = opened.change
        members = {
            "staff": opened.staff_id,
            "change": change.change,
            "version": change.credential_version,
            "origin": change.origin,
            "link": change.link,
        }
        return self._seal(purpose, members, change.expires)

    def open_change(
        self, purpose: Literal["expired", "change"], ticket: str, now: datetime
    ) -> OpenedChange:
        """
        Whose change, and which.

        Raises:
            TicketDeadError: It is for something else, or too old.
        """
        members = self._open(purpose, ticket, now)
        change = Change(
            change=members["change"],
            credential_version=members["version"],
            origin=members["origin"],
            link=members["link"],
            expires=read_moment(members["expires"]),
        )
        return OpenedChange(members["staff"], change)

    def candidate(self, shown: Candidate, expires: datetime) -> str:
        """For confirming an authenticator that was shown."""
        members = {
            "staff": shown.staff_id,
            "change": shown.change,
            "candidate": shown.candidate,
            "seed": to_text(shown.seed),
        }
        return self._seal("candidate", members, expires)

    def open_candidate(self, ticket: str, now: datetime) -> Candidate:
        """
        The authenticator that was shown.

        Raises:
            TicketDeadError: It is for something else, or too old.
        """
        members = self._open("candidate", ticket, now)
        return Candidate(
            members["staff"], members["change"], members["candidate"], from_text(members["seed"])
        )

    def device(self, staff_id: str, device: str, now: datetime) -> str:
        """For a known device (`Person.devices`): failures elsewhere don't pause it."""
        return self._seal("device", {"staff": staff_id, "device": device}, now + DEVICE_LIVES)

    def known_device(self, ticket: str | None, staff_id: str, now: datetime) -> str | None:
        """The device's id, where *ticket* is a live one of *staff_id*'s; None otherwise."""
        try:
            members = self._open("device", ticket or "", now)
        except TicketDeadError:
            return None
        return str(members["device"]) if members["staff"] == staff_id else None

    def _seal(self, purpose: Purpose, members: Mapping[str, Any], expires: datetime) -> str:
        plain = canonical.dumps({**members, "expires": write_moment(expires)})
        if len(plain) > _BYTES[purpose]:
            raise ValueError(f"A {purpose} ticket is longer than its fixed length.")
        padded = plain.ljust(_BYTES[purpose])
        return to_text(encrypt(self._keys[purpose], padded, _about(purpose)))

    def _open(self, purpose: Purpose, ticket: str, now: datetime) -> dict[str, Any]:
        try:
            sealed = from_text(ticket)
            if to_text(sealed) != ticket:  # One spelling only.
                raise TicketDeadError
            members = json.loads(decrypt(self._keys[purpose], sealed, _about(purpose)))
        except (ValueError, UnsealingError) as error:
            raise TicketDeadError from error
        if now >= read_moment(members["expires"]):
            raise TicketDeadError
        return dict(members)


def token_digest(token: str) -> str:
    """SHA-256 of a derived ticket's or token's text, as events hold it."""
    return sha256(token.encode()).hexdigest()


def _about(purpose: Purpose) -> bytes:
    return f"ticket/{purpose}".encode()


def _derived(key: bytes, subject: str) -> str:
    return to_text(hmac.digest(key, subject.encode(), sha256))
