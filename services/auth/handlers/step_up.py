"""Step-ups: both factors proved afresh in a session, which may go on under a new token."""

from dataclasses import dataclass, field
from datetime import datetime

from events.facts import Counted
from events.log.writer import Decided
from events.session import STEP_UP
from events.staff import CodeChecked
from services.auth.domain import decision, login
from services.auth.domain.errors import InvalidCredentialsError
from services.auth.handlers.ground import Caller, Ground, reloading, settle, staff
from services.auth.handlers.proof import Proof, Prover
from services.auth.handlers.sessions import Sessions
from services.auth.tickets import token_digest
from services.projections.port import LoadedSession
from services.shares import known


@dataclass(frozen=True, slots=True)
class FreshProof:
    """
    What is given for a step-up, as sent.

    Attributes:
        device: Ticket of a device that logged this person in: others' failures don't pause it.
        renew: Whether the session is to go on under a new token, and the one that it has to die.
    """

    password: str = field(repr=False)
    code: str = field(repr=False)
    device: str | None = None
    renew: bool = False


@dataclass(frozen=True, slots=True)
class SteppedUp:
    """
    A step-up that counts.

    Attributes:
        fresh_until: Until when the proof of both factors counts as fresh.
        session: The session's token from now on; None: the one that it had.
    """

    fresh_until: datetime
    session: str | None = field(repr=False)


class StepUps:
    """Proves both factors afresh."""

    def __init__(self, ground: Ground, sessions: Sessions) -> None:
        self._ground, self._sessions = ground, sessions

    async def step_up(self, token: str | None, given: FreshProof, caller: Caller) -> SteppedUp:
        """
        Decide a step-up, and answer once that counts.

        Raises:
            InvalidCredentialsError: The session doesn't hold, or password or code is wrong.
            TooManyAttemptsError: Failed logins pause the username.
            StepUpUnavailableError: The person has no authenticator.
        """
        if token is None:
            raise InvalidCredentialsError
        return await reloading(_StepUp(self._ground, self._sessions, token, given, caller).run)


class _StepUp:
    """
    One try.

    Its event's id derives from the token that it came with, dead or alive: where the same request
    renewed the session before and its answer was lost, the new token derives from that very event.
    """

    def __init__(
        self, ground: Ground, sessions: Sessions, token: str, given: FreshProof, caller: Caller
    ) -> None:
        self._ground, self._sessions, self._prover = ground, sessions, Prover(ground)
        self._token, self._given, self._caller = token, given, caller
        about = ("step-up", token_digest(token), "renew" if given.renew else "")
        self._attempt = ground.attempt(caller, *about)
        self._proof: Proof | None = None

    async def run(self) -> SteppedUp:
        live, earlier = await self._load()
        person = live.loaded.person
        if earlier is None:
            login.refuse_before_step_up(person, self._device(live), self._ground.now())
        elif not _accepted(earlier):
            raise InvalidCredentialsError
        proof = await self._prove(live)
        by_code = proof.password_right
        stream = decision.codes(person) if by_code else decision.guesses(person)
        answer, _ = await settle(self._ground.events, stream, self._decide)
        if answer is None:
            raise InvalidCredentialsError
        return answer

    async def _load(self) -> tuple[LoadedSession, Counted | None]:
        """The session, and the earlier try of the same request that counted."""
        earlier = await self._ground.earlier(self._attempt)
        if earlier is not None and _renewed(earlier):
            self._token = self._ground.tickets.session(earlier.id)
        return await self._sessions.live(self._token), earlier

    def _device(self, live: LoadedSession) -> str | None:
        return self._ground.known_device(self._given.device, live.loaded.person)

    async def _prove(self, live: LoadedSession) -> Proof:
        given = self._given
        party = known(live.loaded.person.staff_id, live.session.id)
        self._proof = await self._prover.prove(
            live.loaded, given.password, given.code, party, self._proof
        )
        return self._proof

    async def _decide(self) -> Decided[SteppedUp | None]:
        """Load again, and decide on what holds now."""
        ground, attempt = self._ground, self._attempt
        live, earlier = await self._load()
        proof, now = await self._prove(live), ground.now()
        if earlier is not None:
            if proof.password_right and _accepted(earlier):
                return Decided(self._answer(earlier.id, earlier.at + ground.clock_ahead))
            attempt.afresh()  # What was looked at counts, also beside another of the same key.
        evidence = login.Evidence(
            password_right=proof.password_right,
            time_step=proof.time_step,
            source=proof.source(self._caller),
            device=self._device(live),
        )
        person, answer = live.loaded.person, self._answer(attempt.event_id, now)
        digest = token_digest(answer.session) if answer.session is not None else None
        granted, decided = login.step_up(person, live.session.id, digest, evidence, now)
        return Decided(
            answer if granted else None,
            ground.propose(decided, live.loaded, attempt.event_id, self._caller, staff(person)),
        )

    def _answer(self, event_id: str, at: datetime) -> SteppedUp:
        session = self._ground.tickets.session(event_id) if self._given.renew else None
        return SteppedUp(at + STEP_UP, session)


def _accepted(earlier: Counted) -> bool:
    return isinstance(earlier.fact, CodeChecked) and earlier.fact.outcome == "accepted"


def _renewed(earlier: Counted) -> bool:
    return isinstance(earlier.fact, CodeChecked) and earlier.fact.token_digest is not None
