"""Opening a password change, showing a new authenticator, and finishing it."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

from events.facts import Counted, Position
from events.log.writer import Decided
from events.staff import Choice, CodeChecked
from events.vault.personal import Details, unseal_details
from events.vault.port import MissingEntryError
from events.vault.sealing import UnsealingError
from services.auth.domain import decision, password_change, totp
from services.auth.domain.errors import TicketDeadError, WrongCodeError
from services.auth.domain.password_change import Change
from services.auth.handlers.ground import Caller, Ground, reloading, settle, staff
from services.auth.handlers.proof import Proof, Prover
from services.auth.tickets import DERIVED_LENGTH, Candidate, OpenedChange, token_digest
from services.projections.port import LoadedPerson


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened change, and what is offered in it."""

    change: str
    options: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """
    What is offered in an opened change, as things are now.

    Attributes:
        mandatory_from: When 2FA becomes mandatory, where that lies ahead.
        username: Whose password is being changed.
    """

    username: str
    options: tuple[Choice, ...]
    mandatory_from: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """
    A new authenticator, shown once.

    Attributes:
        authenticator: Ticket to confirm it with.
        otpauth_uri: For authenticator apps.
        secret: The same for typing.
    """

    authenticator: str
    otpauth_uri: str
    secret: str


@dataclass(frozen=True, slots=True)
class PasswordWasSet:
    """
    The change is finished; no session comes of it.

    Attributes:
        device: Ticket that lets this device's tries be counted on their own, as a login's does.
    """

    two_factor: Literal["on", "off"]
    position: Position
    device: str | None


class PasswordChanges:
    """The calls of a password change, but for the last one."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._prover = ground, Prover(ground)

    async def open(self, ticket: str, code: str | None, caller: Caller) -> Opened:
        """
        Open a change by an e-mailed link, or after a login with an expired password.

        Raises:
            TicketDeadError: It leads nowhere (any more).
            CodeRequiredError: The person is enrolled and came by a link: a code comes first.
            WrongCodeError: It is wrong, or was used.
        """
        if len(ticket) == DERIVED_LENGTH:
            return await reloading(lambda: self._open_link(ticket, code, caller))
        ground = self._ground
        opened = ground.tickets.open_change("expired", ticket, ground.now())
        loaded = await load_open(ground, opened)
        return self._opened(loaded, opened.change)

    async def look(self, change: str) -> Offer:
        """
        What is offered in an opened change.

        Raises:
            TicketDeadError: It leads nowhere (any more).
        """
        ground = self._ground
        loaded = await load_open(ground, ground.tickets.open_change("change", change, ground.now()))
        return offer(ground, loaded, (await self.details(loaded)).username)

    async def show_authenticator(self, change: str, caller: Caller) -> Shown:
        """
        Make a new authenticator and show it; only the newest one shown can be confirmed.

        Each call makes another, also under the same Idempotency-Key: a seed is kept nowhere.

        Raises:
            TicketDeadError: The change is over.
        """
        return await reloading(lambda: self._show(change, caller))

    async def _show(self, change: str, caller: Caller) -> Shown:
        ground = self._ground
        opened = ground.tickets.open_change("change", change, ground.now())
        shown = Candidate(
            opened.staff_id,
            opened.change.change,
            str(uuid4()),
            secrets.token_bytes(totp.SEED_BYTES),
        )
        loaded = await load_open(ground, opened)

        async def decide() -> Decided[None]:
            again = await load_open(ground, opened)
            decided = password_change.propose_authenticator(
                again.person, opened.change, shown.candidate, ground.now()
            )
            actor = staff(again.person)
            return Decided(None, ground.propose(decided, again, shown.candidate, caller, actor))

        details = await self.details(loaded)
        await settle(ground.events, decision.links(loaded.person), decide)
        return Shown(
            authenticator=ground.tickets.candidate(shown, opened.change.expires),
            otpauth_uri=totp.otpauth_uri(
                shown.seed, account=details.username, issuer=ground.issuer
            ),
            secret=totp.secret_text(shown.seed),
        )

    async def details(self, loaded: LoadedPerson) -> Details:
        """
        Who the person is.

        Raises:
            VaultUnavailableError: The vault is away, or holds no data key of theirs.
        """
        person = loaded.person
        data_key = await self._prover.data_key(person)
        try:
            return unseal_details(person.details, owner=person.staff_id, data_key=data_key)
        except UnsealingError as error:
            raise MissingEntryError(person.data_key) from error

    async def _open_link(self, ticket: str, code: str | None, caller: Caller) -> Opened:
        ground, digest = self._ground, token_digest(ticket)
        attempt = ground.attempt(caller, "password-changes/open", ticket)
        proof: Proof | None = None
        first = await self._by_link(digest)

        async def decide() -> Decided[tuple[bool, LoadedPerson]]:
            nonlocal proof
            loaded, now = await self._by_link(digest), ground.now()
            earlier = await ground.earlier(attempt)
            if earlier is not None:
                return Decided((_accepted(earlier), loaded))
            if code is not None and (proof is None or not proof.holds_for(loaded)):
                proof = await self._prover.prove_code(loaded, code)
            step, source = (proof.time_step, proof.source(caller)) if proof else (None, "")
            opens, decided = password_change.check_link_code(loaded.person, code, step, source, now)
            actor = staff(loaded.person) if opens else "anonymous"
            proposal = ground.propose(decided, loaded, attempt.event_id, caller, actor)
            return Decided((opens, loaded), proposal)

        (opens, loaded), _ = await settle(ground.events, decision.codes(first.person), decide)
        if not opens:
            raise WrongCodeError
        link = password_change.live_link(loaded.person, ground.now())
        change = Change(
            change=attempt.event_id,
            credential_version=loaded.person.credential_version,
            origin="link",
            link=link.id,
            expires=link.expires,
        )
        return self._opened(loaded, change)

    async def _by_link(self, digest: str) -> LoadedPerson:
        loaded = await self._ground.loads.by_link(digest)
        link = loaded.person.link if loaded is not None else None
        if loaded is None or link is None or link.ticket_digest != digest:
            raise TicketDeadError
        password_change.live_link(loaded.person, self._ground.now())
        return loaded

    def _opened(self, loaded: LoadedPerson, change: Change) -> Opened:
        ground = self._ground
        ticket = ground.tickets.change("change", OpenedChange(loaded.person.staff_id, change))
        options = password_change.options(loaded.person, ground.policy(loaded), ground.now())
        return Opened(ticket, options)


def offer(ground: Ground, loaded: LoadedPerson, username: str) -> Offer:
    """What is offered to the person now."""
    policy, now = ground.policy(loaded), ground.now()
    options = password_change.options(loaded.person, policy, now)
    return Offer(username, options, policy.mandatory_from(now))


async def load_open(ground: Ground, opened: OpenedChange) -> LoadedPerson:
    """
    The person whose change is open.

    Raises:
        TicketDeadError: It is over.
    """
    loaded = await ground.loads.by_staff(opened.staff_id)
    if loaded is None:
        raise TicketDeadError
    person, now = loaded.person, ground.now()
    password_change.check_open(person, opened.change, now)
    password_change.check_way(person, ground.policy(loaded), opened.change, now)
    return loaded


def _accepted(earlier: Counted) -> bool:
    return isinstance(earlier.fact, CodeChecked) and earlier.fact.outcome == "accepted"


__all__ = ["Offer", "Opened", "PasswordChanges", "PasswordWasSet", "Shown", "load_open", "offer"]
