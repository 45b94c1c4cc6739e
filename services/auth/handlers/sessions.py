"""Sessions: who it is, logging out, and proving both factors afresh."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from events import streams
from events.facts import Draft
from events.log.writer import Decided
from events.session import ABSOLUTE, IDLE, STEP_UP, why_ended
from events.staff import CodeChecked, LoggedOut
from events.vault.personal import Details
from services.auth.domain import decision, login
from services.auth.domain.decision import Decision
from services.auth.domain.errors import InvalidCredentialsError
from services.auth.handlers.ground import Attempt, Caller, Ground, reloading, settle, staff
from services.auth.handlers.password_changes import PasswordChanges
from services.auth.handlers.proof import Proof, Prover
from services.auth.tickets import token_digest
from services.projections.port import LoadedSession
from services.shares import known


@dataclass(frozen=True, slots=True)
class Who:
    """
    Whose session it is.

    Attributes:
        fresh_until: Until when the proof of both factors counts as fresh; None: it doesn't.
        expires_at: When it ends if it isn't used again.
        two_factor_mandatory_from: When 2FA becomes mandatory, where that lies ahead.
    """

    session: LoadedSession
    details: Details
    expires_at: datetime
    fresh_until: datetime | None
    two_factor_mandatory_from: datetime | None


class Sessions:
    """What somebody does with a session."""

    def __init__(self, ground: Ground, changes: PasswordChanges) -> None:
        self._ground, self._changes, self._prover = ground, changes, Prover(ground)

    async def live(self, token: str | None) -> LoadedSession:
        """
        The session with this token, if it holds; it is noted as used.

        Raises:
            InvalidCredentialsError: There is none, or it has ended, for whatever cause.
        """
        ground = self._ground
        found = await ground.loads.by_session(token_digest(token)) if token else None
        if found is None:
            raise InvalidCredentialsError
        live = LoadedSession(found.session, ground.at_home(found.loaded))
        if why_ended(live.session, live.loaded, ground.now()):
            raise InvalidCredentialsError
        await ground.loads.seen(live.session.id, ground.now())
        return live

    async def who(self, token: str | None) -> Who:
        """
        Whose session it is, and until when.

        Raises:
            InvalidCredentialsError: It doesn't hold.
        """
        return await reloading(lambda: self._who(token))

    async def _who(self, token: str | None) -> Who:
        live, now = await self.live(token), self._ground.now()
        verified = live.session.verified
        fresh_until = verified + STEP_UP if verified is not None else None
        return Who(
            session=live,
            details=await self._changes.details(live.loaded),
            expires_at=min(now + IDLE, live.session.started + ABSOLUTE),
            fresh_until=fresh_until if fresh_until and now < fresh_until else None,
            two_factor_mandatory_from=live.loaded.organisation.policy.mandatory_from(now),
        )

    async def log_out(self, token: str | None, caller: Caller, *, everywhere: bool) -> None:
        """
        End this session, or all of this person's.

        Raises:
            InvalidCredentialsError: It doesn't hold.
        """
        ground = self._ground
        live = await self.live(token)
        person = live.loaded.person
        stream = streams.session(person.organisation_id, live.session.id)
        attempt = Attempt(str(uuid4()), repeatable=False)

        async def decide() -> Decided[None]:
            found = await ground.loads.by_session(token_digest(token or ""))
            if found is None or found.session.ended is not None:
                return Decided(None)
            drafts = [Draft(stream, LoggedOut(staff_id=person.staff_id, everywhere=everywhere))]
            decided = Decision(drafts)
            actor = staff(person)
            return Decided(
                None, ground.propose(decided, found.loaded, attempt.event_id, caller, actor)
            )

        await settle(ground.events, stream, decide)

    async def step_up(
        self,
        token: str | None,
        password: str,
        code: str,
        caller: Caller,
        device: str | None = None,
    ) -> datetime:
        """
        Prove both factors afresh.

        Args:
            token: The session's.
            password: As given.
            code: As given.
            caller: Where it comes from.
            device: Ticket of a device that logged this person in: others' failures don't pause it.

        Returns:
            Until when that counts as fresh.

        Raises:
            InvalidCredentialsError: The session doesn't hold, or password or code is wrong.
            TooManyAttemptsError: Failed logins pause the username.
            StepUpUnavailableError: The person has no authenticator.
        """
        return await reloading(lambda: self._step_up(token, password, code, caller, device))

    async def _step_up(
        self, token: str | None, password: str, code: str, caller: Caller, ticket: str | None
    ) -> datetime:
        ground, live = self._ground, await self.live(token)
        attempt = ground.attempt(caller, "step-up", live.session.id)
        staff_id = live.loaded.person.staff_id
        device = ground.tickets.known_device(ticket, staff_id, ground.now())
        login.refuse_before_step_up(live.loaded.person, device, ground.now())
        party = known(staff_id, live.session.id)
        proof: Proof = await self._prover.prove(live.loaded, password, code, party)

        async def decide() -> Decided[datetime | None]:
            nonlocal proof
            now_live, now = await self.live(token), ground.now()
            loaded = now_live.loaded
            proof = await self._prover.prove(loaded, password, code, party, proof)
            earlier = await ground.earlier(attempt)
            if earlier is not None:
                fact = earlier.fact
                accepted = isinstance(fact, CodeChecked) and fact.outcome == "accepted"
                if not accepted:
                    return Decided(None)
                if proof.password_right:
                    return Decided(earlier.at + ground.clock_ahead + STEP_UP)
                attempt.afresh()
            evidence = login.Evidence(
                password_right=proof.password_right,
                time_step=proof.time_step,
                source=proof.source(caller),
                device=device,
            )
            granted, decided = login.step_up(loaded.person, live.session.id, evidence, now)
            proposal = ground.propose(
                decided, loaded, attempt.event_id, caller, staff(loaded.person)
            )
            return Decided(now + STEP_UP if granted else None, proposal)

        person = live.loaded.person
        right = proof.password_right
        stream = decision.codes(person) if right else decision.guesses(person)
        fresh_until, _ = await settle(ground.events, stream, decide)
        if fresh_until is None:
            raise InvalidCredentialsError
        return fresh_until
