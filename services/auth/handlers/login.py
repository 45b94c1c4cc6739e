"""Logging in: two screens, one decision, and the same answer for whatever was wrong."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from events.facts import Counted
from events.log.writer import Decided, NotDoneError, Written
from events.person import BURNING
from events.session import ABSOLUTE, IDLE, why_ended
from events.staff import LoginAttempted, LoginOutcome
from services.auth.domain import decision, login, throttle
from services.auth.domain.errors import InvalidCredentialsError, TooManyAttemptsError
from services.auth.domain.password_change import Change
from services.auth.handlers.ground import (
    OUTCOMES,
    Attempt,
    Caller,
    Ground,
    position,
    reloading,
    settle,
    staff,
    until_refusals,
)
from services.auth.handlers.login_answers import (
    ChangeRequired,
    LinkSent,
    LoggedIn,
    LoginAnswer,
)
from services.auth.handlers.proof import Proof, Prover, Subject
from services.auth.handlers.rehash import Rehashes
from services.auth.tickets import OpenedChange, token_digest
from services.projections.port import LoadedPerson, LoadedStranger
from services.shares import Party, known, stranger

_LOADS: Final = 3
"""How often a login begins again because the username changed hands meanwhile."""


@dataclass(frozen=True, slots=True)
class FinishLogin:
    """The second screen, as sent."""

    login: str
    password: str
    code: str | None = None
    device: str | None = None


_Answered = Callable[[Written | None], LoginAnswer]


class _ChangedHandsError(Exception):
    """The username is somebody's now, or nobody's any more."""


class Logins:
    """The two calls of a login."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._prover, self._rehashes = ground, Prover(ground), Rehashes(ground)

    def start(self, username: str) -> str:
        """Seal the username; nothing is looked up, so that nothing can be told."""
        ground = self._ground
        return ground.tickets.login(ground.digest_of(username), ground.now())

    async def finish(self, given: FinishLogin, caller: Caller) -> LoginAnswer:
        """
        Decide the login, and answer once that counts.

        Raises:
            TicketDeadError: *given* carries no live login.
            TooManyAttemptsError: Failed logins pause the username.
            InvalidCredentialsError: For every other cause.
            NotDoneError, OutcomeUnknownError, LogUnavailableError, VaultUnavailableError,
            ProjectionUnavailableError, BusyError: It can't be decided now.
        """
        ground = self._ground
        began = time.monotonic()
        digest = ground.tickets.open_login(given.login, ground.now())
        attempt = ground.attempt(caller, "login/finish", given.login, given.device or "")
        for _ in range(_LOADS):
            tried = _Finish(ground, self._prover, given, caller, attempt, digest)
            try:
                answer = await tried.run()
            except _ChangedHandsError:
                continue
            except (InvalidCredentialsError, TooManyAttemptsError):
                await until_refusals(began)
                raise
            if isinstance(answer, LoggedIn) and tried.proof is not None:
                self._rehashes.begin(tried.proof, given.password, caller)
            return answer
        raise NotDoneError("The username keeps changing hands.")

    async def drain(self) -> None:
        """Let what goes on after logins be done."""
        await self._rehashes.drain()


class _Finish:
    """One try to finish a login."""

    def __init__(
        self,
        ground: Ground,
        prover: Prover,
        given: FinishLogin,
        caller: Caller,
        attempt: Attempt,
        digest: str,
    ) -> None:
        self._ground, self._prover, self._given = ground, prover, given
        self._caller, self._attempt, self._digest = caller, attempt, digest
        self.proof: Proof | None = None
        self._known: bool | None = None

    async def run(self) -> LoginAnswer:
        earlier = await self._ground.earlier(self._attempt)
        if earlier is not None and _failed(earlier):
            raise InvalidCredentialsError
        subject, proof = await reloading(self._prove)
        if isinstance(subject, LoadedStranger):
            writer, stream = self._ground.strangers, next(iter(subject.heads))
        else:
            person = subject.person
            by_code = proof.password_right
            stream = decision.codes(person) if by_code else decision.guesses(person)
            writer = self._ground.events
        answered, written = await settle(writer, stream, self._decide)
        return answered(written)

    async def _prove(self) -> tuple[Subject, Proof]:
        subject = await self._ground.loads.by_username(self._digest)
        known = isinstance(subject, LoadedPerson)
        if self._known not in {None, known}:
            raise _ChangedHandsError
        self._known = known
        if await self._ground.earlier(self._attempt) is None:
            self._refuse_while_paused(subject)
        self.proof = await self._prover.prove(
            subject, self._given.password, self._given.code, self._party(subject), self.proof
        )
        return subject, self.proof

    def _refuse_while_paused(self, subject: Subject) -> None:
        """A paused try is neither hashed nor appended."""
        now = self._ground.now()
        if isinstance(subject, LoadedPerson):
            device = self._device(subject)
            login.refuse_while_paused(subject.person, device, now, subject.before)
            return
        pause = throttle.login_pause(subject.stranger.failed_logins, now)
        if pause > timedelta(0):
            raise TooManyAttemptsError(pause)

    def _party(self, subject: Subject) -> Party:
        """A device that logged this very person in before has a turn of its own."""
        if isinstance(subject, LoadedPerson) and (device := self._device(subject)):
            return known(subject.person.staff_id, device)
        return stranger(self._caller.address)

    def _device(self, loaded: LoadedPerson) -> str | None:
        return self._ground.known_device(self._given.device, loaded.person)

    async def _decide(self) -> Decided[_Answered]:
        """Load again, and decide on what holds now; what was proved is proved again if it moved."""
        subject, proof = await self._prove()
        earlier = await self._ground.earlier(self._attempt)
        if earlier is not None and isinstance(earlier.fact, LoginAttempted):
            right = proof.password_right and not _failed(earlier)
            if right and isinstance(subject, LoadedPerson):
                return Decided(await self._again(earlier, earlier.fact, subject))
            # Also where another of the same key failed meanwhile: this one's password was looked
            # at, and whatever was looked at counts.
            self._attempt.afresh()
            self._refuse_while_paused(subject)
        if isinstance(subject, LoadedStranger):
            tried = login.attempt_of_stranger(self._digest, proof.source(self._caller))
            return Decided(
                _counted("wrong_password", _refuse),
                self._ground.propose(tried, subject, self._attempt.event_id, self._caller),
            )
        return self._decide_for(subject, proof)

    def _decide_for(self, loaded: LoadedPerson, proof: Proof) -> Decided[_Answered]:
        ground, person, event_id = self._ground, loaded.person, self._attempt.event_id
        device, now = self._device(loaded), ground.now()
        new = login.NewSession(
            session=event_id,
            token_digest=token_digest(ground.tickets.session(event_id)),
            device=device or str(uuid4()),
        )
        evidence = login.Evidence(
            password_right=proof.password_right,
            time_step=proof.time_step,
            source=proof.source(self._caller),
            device=device,
        )
        link = ground.new_link(str(uuid4()))
        outcome, decided = login.finish_login(
            person, ground.policy(loaded), evidence, new, link, now
        )
        actor = staff(person) if outcome in BURNING else "anonymous"
        answer = self._answer(outcome, loaded, event_id, new.device, now)
        return Decided(
            _counted(outcome, answer),
            ground.propose(decided, loaded, event_id, self._caller, actor),
        )

    async def _again(
        self, earlier: Counted, fact: LoginAttempted, loaded: LoadedPerson
    ) -> _Answered:
        """The first answer again, unless its session has ended since."""
        ground = self._ground
        if fact.session is not None:
            session = await ground.loads.by_session(fact.session.token_digest)
            ended = session is None or why_ended(
                session.session, ground.at_home(session.loaded), ground.now()
            )
            if ended:
                return _refuse
        at = earlier.at + ground.clock_ahead
        return self._answer(
            fact.outcome, loaded, earlier.id, fact.device or "", at, earlier=earlier
        )

    def _answer(
        self,
        outcome: LoginOutcome,
        loaded: LoadedPerson,
        event_id: str,
        device: str,
        at: datetime,
        earlier: Counted | None = None,
    ) -> _Answered:
        ground, person = self._ground, loaded.person
        tickets = ground.tickets
        match outcome:
            case "succeeded":
                return lambda written: LoggedIn(
                    session=tickets.session(event_id),
                    expires_at=at + min(IDLE, ABSOLUTE),
                    two_factor=person.enrolled,
                    device=tickets.device(person.staff_id, device, at),
                    position=position(loaded, written, earlier),
                    two_factor_mandatory_from=ground.policy(loaded).mandatory_from(ground.now()),
                )
            case "password_expired":
                change = Change(
                    change=event_id,
                    credential_version=person.credential_version,
                    origin="expired",
                    link=None,
                    expires=at + throttle.LINK_LIVES,
                )
                opened = OpenedChange(person.staff_id, change)
                return lambda _: ChangeRequired(tickets.change("expired", opened))
            case "reset_required" | "two_factor_mandatory" as reason:
                return lambda _: LinkSent(reason)
            case _:
                return _refuse


def _failed(earlier: Counted) -> bool:
    return not isinstance(earlier.fact, LoginAttempted) or earlier.fact.outcome not in BURNING


def _counted(outcome: str, answer: _Answered) -> _Answered:
    """*answer*, and a count of it once it counts."""

    def answered(written: Written | None) -> LoginAnswer:
        OUTCOMES.labels(outcome).inc()
        return answer(written)

    return answered


def _refuse(_written: Written | None) -> LoginAnswer:
    raise InvalidCredentialsError
