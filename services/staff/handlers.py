"""
From a record of the commands' topic to its outcome: verify, load, decide, append, learn, answer.

A command's outcome is the first counted record of the command's own stream. It stands last in its
batch, behind its effects: whoever waits for its position has waited for all of them. Every
condition stands in the batch's first record, as always, and the command's stream without a head is
one of them, so that a second copy, on whatever server, never counts.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from events import streams
from events.command_wire import CommandOutcome
from events.facts import Draft, Position
from events.log.proposal import Proposal
from events.log.writer import Decided, Writer, Written
from events.marks import CommandAccepted, CommandRejected
from events.person import Person
from services.projections.port import LoadedForCommand, LoadedPerson, Loads
from services.staff.deciding import Deciding
from services.staff.domain.errors import DifferentCommandSameIdError, RefusedError
from services.staff.domain.rights import Sender, check, check_envelope
from services.staff.domain.situation import Decision, Situation
from services.staff.ports import Answered, DeadLetter, Publishers, RawCommand
from services.staff.verifying import NoCommandError, Signed, verify


class CommandHandler:
    """Brings about what commands ask for."""

    def __init__(
        self,
        *,
        loads: Loads,
        writer: Writer,
        publishers: Publishers,
        deciding: Deciding,
        home: str,
        audience: str,
        now: Callable[[], datetime],
        clock: Callable[[], datetime],
    ) -> None:
        """
        Args:
            loads: The projections.
            writer: Of the history.
            publishers: Who may publish.
            deciding: What each command needs to be decided.
            home: Id of support's own organisation.
            audience: What commands to this installation name.
            now: The clock that decisions see.
            clock: The real clock.
        """
        self._loads, self._writer, self._publishers = loads, writer, publishers
        self._deciding, self._home, self._audience = deciding, home, audience
        self._now, self._clock = now, clock

    async def handle(self, raw: RawCommand) -> Answered | DeadLetter:
        """
        Deal with one record; again and again, with the same outcome.

        Raises:
            LogError, VaultUnavailableError, ProjectionUnavailableError, NotDoneError,
            OutcomeUnknownError: Not now; handle the same record again.
        """
        try:
            signed = verify(raw, self._publishers)
        except NoCommandError as error:
            return DeadLetter(raw, error.reason, error.detail)

        async def decide() -> Decided[_Answer]:
            return await self._decide(signed)

        answer, written = await self._writer.settle(signed.stream, decide)
        if written is not None and not answer.reason:
            await self._deciding.after(signed.command, answer.target, signed.envelope)
        return Answered(signed.publisher, answer.outcome(written))

    async def _decide(self, signed: Signed) -> "Decided[_Answer]":
        state = await self._loads.for_command(
            organisation_id=signed.command.organisation_id,
            publisher=signed.publisher,
            command_id=signed.envelope.id,
            staff_id=getattr(signed.command, "staff_id", None),
            actor_id=_staff_id(signed.envelope.actor),
        )
        if state.command is not None:
            return Decided(_known(signed, state))
        try:
            situation, basis = await self._permitted(signed, state)
            decision = await self._deciding.decide(signed.command, situation, signed.envelope)
            return self._accept(signed, state, decision, basis)
        except RefusedError as error:
            return _reject(signed, state, error)

    async def _permitted(
        self, signed: Signed, state: LoadedForCommand
    ) -> tuple[Situation, frozenset[str]]:
        now = self._now()
        check_envelope(signed.envelope, self._audience, self._clock())
        sender = await self._sender(signed, state)
        basis = check(signed.command, sender, self._home, now)
        situation = Situation(
            organisation=state.organisation,
            target=state.target,
            administrators=state.administrators,
            sender=sender,
            home=self._home,
            now=now,
            clock=state.place.clock,
        )
        return situation, basis

    async def _sender(self, signed: Signed, state: LoadedForCommand) -> Sender:
        envelope = signed.envelope
        staff_id = _staff_id(envelope.actor)
        loaded, session = None, None
        if staff_id is not None:
            if state.actor is not None and state.organisation is not None:
                loaded = LoadedPerson(state.actor, state.organisation, state.heads, state.place)
            else:
                loaded = await self._loads.by_staff(staff_id)
            if envelope.sessionid is not None:
                live = await self._loads.live_sessions(staff_id)
                session = next((one for one in live if one.id == envelope.sessionid), None)
        return Sender(
            actor=envelope.actor,
            rights=signed.rights,
            loaded=loaded,
            session=session,
            from_session=envelope.sessionid is not None,
        )

    def _accept(
        self,
        signed: Signed,
        state: LoadedForCommand,
        decision: Decision,
        permission: frozenset[str],
    ) -> "Decided[_Answer]":
        accepted = CommandAccepted(name=signed.command.name, digest=signed.digest)
        drafts = [*decision.effects, Draft(signed.stream, accepted)]
        basis = decision.basis | permission
        proposal = _proposal(signed, state, drafts, basis, decision.lapses)
        answer = _Answer(signed.envelope.id, state.place.position, target=state.target)
        return Decided(answer, proposal)


@dataclass(frozen=True, slots=True)
class _Answer:
    """
    What became of a command.

    Attributes:
        position: Of its outcome; before that is appended, any of its partition and generation.
        reason: Why it was rejected.
        detail: The same, for people.
        target: The person it was about, as they were before.
    """

    command_id: str
    position: Position
    reason: str | None = None
    detail: str | None = None
    target: Person | None = None

    def outcome(self, written: Written | None) -> CommandOutcome:
        position = self.position
        if written is not None:
            position = Position(position.generation, written.partition, written.offset)
        return CommandOutcome(
            command_id=self.command_id,
            outcome="rejected" if self.reason else "accepted",
            position=str(position),
            reason=self.reason,
            detail=self.detail,
        )


def _known(signed: Signed, state: LoadedForCommand) -> _Answer:
    """The outcome that the command has had; for other bytes under its id, a refusal."""
    row = state.command
    if row is None or not hmac.compare_digest(row.digest, signed.digest):
        other = DifferentCommandSameIdError
        return _Answer(signed.envelope.id, state.place.position, other.reason, other.detail)
    return _Answer(signed.envelope.id, row.position, row.reason, row.detail)


def _reject(signed: Signed, state: LoadedForCommand, error: RefusedError) -> Decided[_Answer]:
    rejected = CommandRejected(
        name=signed.command.name, digest=signed.digest, reason=error.reason, detail=error.detail
    )
    # A refusal, too, holds only if what it relied on is still so where it stands in the log.
    drafts, basis = [Draft(signed.stream, rejected)], _looked_at(signed, state)
    answer = _Answer(signed.envelope.id, state.place.position, error.reason, error.detail)
    return Decided(answer, _proposal(signed, state, drafts, basis, None))


def _looked_at(signed: Signed, state: LoadedForCommand) -> frozenset[str]:
    organisation_id = signed.command.organisation_id
    names = {streams.organisation(organisation_id)}
    people = {getattr(signed.command, "staff_id", None)}
    if state.actor is not None:
        people.add(state.actor.staff_id)
    names |= {streams.account(organisation_id, staff_id) for staff_id in people if staff_id}
    return frozenset(names)


def _proposal(
    signed: Signed,
    state: LoadedForCommand,
    drafts: list[Draft],
    basis: frozenset[str],
    lapses: datetime | None,
) -> Proposal:
    envelope = signed.envelope
    return Proposal(
        drafts=drafts,
        basis=basis,
        heads=state.heads,
        clock=state.place.clock,
        event_id=_event_id(signed),
        actor=envelope.actor,
        correlation_id=envelope.correlationid or envelope.id,
        causation_id=envelope.id,
        lapses=lapses,
    )


def _event_id(signed: Signed) -> str:
    """The same for every copy of the command."""
    return str(UUID(bytes=sha256(signed.stream.encode()).digest()[:16]))


def _staff_id(actor: str) -> str | None:
    kind, _, name = actor.partition("/")
    return name if kind == "staff" else None
