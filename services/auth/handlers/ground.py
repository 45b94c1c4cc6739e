"""What every handler of auth stands on: its ports, its keys, the way from decision to log."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import uuid4

from prometheus_client import Counter, Histogram

from events.facts import Counted, Position
from events.keys import KeyRing
from events.log.proposal import Proposal
from events.log.writer import Decided, Writer, Written
from events.organisation import Policy
from events.person import Person
from events.vault.personal import username_digest
from events.vault.port import MissingEntryError, Vault
from services.auth.domain.decision import Decision, NewLink
from services.auth.ports import Passwords
from services.auth.tickets import Tickets, token_digest
from services.projections.port import LoadedPerson, LoadedStranger, Loads
from services.web.requests import derived_id

A = TypeVar("A")

REFUSED_EVERY: Final = timedelta(milliseconds=100)
"""
A login is refused so long after it began, or a multiple of it: who exists has more to be read and
written than who doesn't, some milliseconds of it, and what is left of them is nothing to measure.
"""

OUTCOMES: Final = Counter("twofold_logins_total", "Login attempts that counted", ["outcome"])
SETTLED: Final = Histogram("twofold_settle_seconds", "From a decision to its verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """
    Where a request comes from.

    Attributes:
        address: IP address.
        user_agent: As sent.
        request_id: Goes into the events as their correlation id.
        idempotency_key: At least 128 random bits, or None.
    """

    address: str
    user_agent: str
    request_id: str
    idempotency_key: str | None = None


@dataclass(slots=True)
class Attempt:
    """
    One request's event id.

    Attributes:
        event_id: The same for the same request under the same key.
        repeatable: Whether an earlier try may have counted under this id.
    """

    event_id: str
    repeatable: bool

    def afresh(self) -> None:
        """Go on under an id of its own: the earlier try's answer isn't this one's to have."""
        self.event_id, self.repeatable = str(uuid4()), False


class Keys:
    """What derives from the key ring, derived once."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self.username = ring.derive("username")
        self.idempotency = ring.derive("idempotency")
        self.strangers = ring.derive("strangers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """
    The ports and keys.

    Attributes:
        events: Writes the history.
        strangers: Writes attempts on usernames that nobody holds.
        now: The clock that decisions see.
        clock_ahead: How far it is moved; deadlines never are.
        home_organisation: Support's; 2FA is always mandatory there.
        issuer: What authenticator apps show beside the account.
    """

    loads: Loads
    vault: Vault
    events: Writer
    strangers: Writer
    passwords: Passwords
    tickets: Tickets
    keys: Keys
    now: Callable[[], datetime]
    home_organisation: str
    clock_ahead: timedelta = timedelta(0)
    issuer: str = "agentOS"

    def digest_of(self, username: str) -> str:
        """What *username* is looked up by."""
        return username_digest(username, self.keys.username)

    def known_device(self, ticket: str | None, person: Person) -> str | None:
        """
        The device that *ticket* shows, while it is one of those that a person's state keeps.

        What isn't kept has no failures: with one ticket more than are kept, each used in turn,
        whoever once had the password would guess for ever, in a lane that no failure closes.
        """
        device = self.tickets.known_device(ticket, person.staff_id, self.now())
        return device if device in person.device_failures else None

    def attempt(self, caller: Caller, *about: str) -> Attempt:
        """The event id of a request; *about* is its route and itself, without secrets to guess."""
        key = caller.idempotency_key
        return Attempt(derived_id(self.keys.idempotency, key, *about), repeatable=key is not None)

    async def earlier(self, attempt: Attempt) -> Counted | None:
        """An earlier try of the same request that counted."""
        return await self.loads.event(attempt.event_id) if attempt.repeatable else None

    def policy(self, loaded: LoadedPerson) -> Policy:
        """The policy that holds for a person."""
        return self.at_home(loaded).organisation.policy

    def at_home(self, loaded: LoadedPerson) -> LoadedPerson:
        """The same, with 2FA mandatory where it always is."""
        return replace(loaded, organisation=loaded.organisation.with_home(self.home_organisation))

    def new_link(self, link_id: str) -> NewLink:
        """A link by that id, with the digest of its ticket."""
        return NewLink(link_id, token_digest(self.tickets.link(link_id)))

    def propose(
        self,
        decision: Decision,
        loaded: LoadedPerson | LoadedStranger,
        event_id: str,
        caller: Caller,
        actor: str = "anonymous",
    ) -> Proposal | None:
        """What is to be appended for *decision*; None where there's nothing."""
        if not decision.drafts:
            return None
        return Proposal(
            drafts=decision.drafts,
            basis=decision.basis,
            heads=loaded.heads,
            clock=loaded.place.clock,
            event_id=event_id,
            actor=actor,
            correlation_id=caller.request_id,
            # Facts lapse by the decisions' clock, records by the real one.
            lapses=decision.lapses and decision.lapses - self.clock_ahead,
        )


async def settle(
    writer: Writer, stream: str, decide: Callable[[], Awaitable[Decided[A]]]
) -> tuple[A, Written | None]:
    """`Writer.settle`, timed."""
    started = time.perf_counter()
    try:
        return await writer.settle(stream, decide)
    finally:
        SETTLED.observe(time.perf_counter() - started)


async def until_refusals(began: float) -> None:
    """Wait until a login that began then, by `time.monotonic`, may be refused."""
    every = REFUSED_EVERY.total_seconds()
    await asyncio.sleep(every - (time.monotonic() - began) % every)


async def reloading(call: Callable[[], Awaitable[A]]) -> A:
    """
    What *call* returns; it is called once more where the vault has moved on from what it loaded.

    Raises:
        MissingEntryError: It still has: this is no answer about anybody's secrets.
    """
    try:
        return await call()
    except MissingEntryError:
        return await call()


def position(
    loaded: LoadedPerson, written: Written | None, earlier: Counted | None = None
) -> Position:
    """Where what was decided stands: just written, an earlier try's, or what it was read at."""
    if written is not None:
        return Position(loaded.place.position.generation, written.partition, written.offset)
    return earlier.position if earlier is not None else loaded.place.position


def staff(person: Person) -> str:
    """A person as the actor of an event."""
    return f"staff/{person.staff_id}"


def real_now() -> datetime:
    """The real clock, which binds deadlines."""
    return datetime.now(UTC)
