"""
Claims on usernames: one holder at a time, though a username and its person live in two partitions.

A staff id is claimed by its digest in the same way, before anything else: two organisations that
register one id at once would each overwrite the other's person.

A claim is made first, and carries the moment after which the registration that relies on it can't
count any more. So whoever wants the name later knows when to believe that it isn't used: once that
partition's time has passed that moment and nobody there has the name. Until then they are refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from events import streams
from events.facts import Draft
from events.log.proposal import Proposal
from events.log.writer import Decided, Writer
from events.moments import from_milliseconds, to_milliseconds
from events.person import Person
from events.username import Claim, UsernameClaimed, UsernameReleased
from services.projections.port import LoadedClaim, LoadedForCommand, Loads
from services.staff.domain.errors import (
    AlreadyRegisteredError,
    UsernameNotYetFreeError,
    UsernameTakenError,
)

CLAIM_FOR: Final = timedelta(seconds=10)
"""How long a registration that relies on a claim has to count; with half of it left, it is made
again. Whoever wants a name that was claimed and given up within it is told to ask again later."""


_Has = Callable[[Person | None], bool]
"""Whether the person that a claim is for, as they are, has what was claimed."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a claim is made for: attributes of its events."""

    actor: str
    correlation_id: str
    causation_id: str


class Usernames:
    """Claims and releases usernames."""

    def __init__(
        self,
        loads: Loads,
        writer: Writer,
        clock: Callable[[], datetime],
        claim_for: timedelta = CLAIM_FOR,
    ) -> None:
        """
        Args:
            loads: The projections.
            writer: Of the history.
            clock: The real clock.
            claim_for: How long a claim holds without a registration.
        """
        self._loads, self._writer, self._clock = loads, writer, clock
        self._claim_for = claim_for

    async def claim(
        self,
        username_digest: str,
        *,
        organisation_id: str,
        staff_id: str,
        clock: datetime,
        cause: Cause,
    ) -> datetime:
        """
        Keep the username for a person; again, where it is theirs already.

        Args:
            username_digest: Of the name.
            organisation_id: The person's.
            staff_id: Theirs.
            clock: The time of the organisation's partition, as loaded: what relies on the claim is
                to count there, also where Kafka's clock is ahead of ours.
            cause: What it is claimed for.

        Returns:
            The moment after which what relies on the claim can't count any more.

        Raises:
            UsernameTakenError: Somebody else has it.
            UsernameNotYetFreeError: Somebody else had it, or asked for it, a moment ago.
        """
        mine = organisation_id, staff_id
        return await self._claim(
            username_digest, mine, clock, cause, lambda person: _has(person, username_digest)
        )

    async def claim_id(
        self,
        id_digest: str,
        *,
        organisation_id: str,
        staff_id: str,
        clock: datetime,
        cause: Cause,
    ) -> datetime:
        """
        Keep a staff id for an organisation; again, where it is its already.

        Args:
            id_digest: Of the staff id; no username has the same.
            organisation_id, staff_id, clock, cause: As for `claim`.

        Returns:
            As `claim`.

        Raises:
            AlreadyRegisteredError: Another organisation has somebody of this id, or is about to.
        """
        mine = organisation_id, staff_id
        try:
            return await self._claim(
                id_digest, mine, clock, cause, lambda person: person is not None
            )
        except (UsernameTakenError, UsernameNotYetFreeError):
            raise AlreadyRegisteredError from None

    async def _claim(
        self,
        username_digest: str,
        mine: tuple[str, str],
        clock: datetime,
        cause: Cause,
        has: _Has,
    ) -> datetime:
        organisation_id, staff_id = mine

        async def decide() -> Decided[datetime]:
            found = await self._loads.claim(username_digest)
            now = max(self._clock(), clock)
            held, drafts = found.claim, []
            if held and (held.organisation_id, held.staff_id) == mine:
                if held.registration_deadline - now > self._claim_for / 2:
                    return Decided(held.registration_deadline)
            elif held:
                await self._see_it_unused(held, has)
                drafts.append(_released(username_digest, held))
            until = from_milliseconds(to_milliseconds(now + self._claim_for))
            claimed = UsernameClaimed(
                organisation_id=organisation_id, staff_id=staff_id, registration_deadline=until
            )
            drafts.append(Draft(streams.username(username_digest), claimed))
            return Decided(until, _proposal(drafts, found, cause))

        until, _ = await self._writer.settle(streams.username(username_digest), decide)
        return until

    async def release(self, username_digest: str, cause: Cause) -> None:
        """Free the username, if its holder has it no more; otherwise do nothing."""

        async def decide() -> Decided[None]:
            found = await self._loads.claim(username_digest)
            if found.claim is None:
                return Decided(None)
            holder = await self._holder(found.claim)
            if _has(holder.target, username_digest) or not _late(holder, found.claim):
                return Decided(None)
            drafts = [_released(username_digest, found.claim)]
            return Decided(None, _proposal(drafts, found, cause))

        await self._writer.settle(streams.username(username_digest), decide)

    async def _see_it_unused(self, claim: Claim, has: _Has) -> None:
        """
        Make sure that *claim* has come to nothing, and will.

        Raises:
            UsernameTakenError: Its holder has the name.
            UsernameNotYetFreeError: That can't be known yet. It isn't waited for: a command that
                waits holds up whatever stands behind it, and anybody could bring that about.
        """
        holder = await self._holder(claim)
        due = self._clock() > claim.registration_deadline
        if due and not _late(holder, claim) and not has(holder.target):
            # That partition is quiet: it needs a record for its time to have passed.
            await self._writer.move_time(holder.place.position.partition)
            holder = await self._holder(claim)
        if has(holder.target):
            raise UsernameTakenError
        if not _late(holder, claim):
            raise UsernameNotYetFreeError

    async def _holder(self, claim: Claim) -> LoadedForCommand:
        # Only the person and the partition's time are wanted; the command is nobody's.
        return await self._loads.for_command(
            organisation_id=claim.organisation_id,
            publisher="usernames",
            command_id="none",
            staff_id=claim.staff_id,
            actor_id=None,
        )


def _has(person: Person | None, username_digest: str) -> bool:
    return person is not None and not person.forgotten and person.username_digest == username_digest


def _late(holder: LoadedForCommand, claim: Claim) -> bool:
    return holder.place.clock > claim.registration_deadline


def _released(username_digest: str, claim: Claim) -> Draft:
    fact = UsernameReleased(organisation_id=claim.organisation_id, staff_id=claim.staff_id)
    return Draft(streams.username(username_digest), fact)


def _proposal(drafts: list[Draft], found: LoadedClaim, cause: Cause) -> Proposal:
    return Proposal(
        drafts=drafts,
        basis=(),
        heads=found.heads,
        clock=found.place.clock,
        event_id=str(uuid4()),
        actor=cause.actor,
        correlation_id=cause.correlation_id,
        causation_id=cause.causation_id,
    )
