"""Finishing a password change: everything is checked before it is hashed, and hashed once."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import uuid4

from events.facts import Counted
from events.log.proposal import PATIENCE
from events.log.writer import Decided
from events.staff import Choice, PasswordSet
from events.vault.sealing import Kind, seal
from services.auth.domain import decision, password_change, totp
from services.auth.domain.decision import Decision, earliest
from services.auth.domain.errors import (
    ChoiceUnavailableError,
    PasswordRefusedError,
    TicketDeadError,
    WrongCodeError,
)
from services.auth.domain.password_change import NewCredentials
from services.auth.domain.passwords import check_new_password, normalised
from services.auth.handlers.ground import (
    Attempt,
    Caller,
    Ground,
    position,
    real_now,
    reloading,
    settle,
    staff,
)
from services.auth.handlers.password_changes import (
    Offer,
    PasswordChanges,
    PasswordWasSet,
    load_open,
    offer,
)
from services.auth.handlers.proof import Prover
from services.auth.tickets import Candidate, OpenedChange
from services.auth.turns import Turns
from services.projections.port import LoadedPerson
from services.shares import Party, known

MOST_JUDGED: Final = 200
"""How many new passwords may wait to be judged; each takes a tenth of a second at most."""


@dataclass(frozen=True, slots=True)
class FinishChange:
    """What was sent to finish a change."""

    change: str
    password: str
    choice: Choice
    authenticator: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _Checked:
    """A new password, hashed, and the authenticator that was confirmed with it."""

    stored: str
    candidate: Candidate | None = None
    time_step: int | None = None


class FinishChanges:
    """The last call of a password change."""

    def __init__(self, ground: Ground, changes: PasswordChanges) -> None:
        self._ground, self._changes, self._prover = ground, changes, Prover(ground)
        self._judging = Turns(1, most_waiting=MOST_JUDGED)

    async def consider(self, change: str, password: str) -> Offer:
        """
        Whether *password* can be taken in an opened change; nothing is put in force.

        Returns:
            What is offered with it.

        Raises:
            TicketDeadError: The change is over.
            PasswordRefusedError: The password can't be taken.
        """
        return await reloading(lambda: self._consider(change, password))

    async def _consider(self, change: str, password: str) -> Offer:
        ground = self._ground
        opened = ground.tickets.open_change("change", change, ground.now())
        loaded = await load_open(ground, opened)
        await self._check_password(loaded, normalised(password), _party(opened))
        return offer(ground, loaded, (await self._changes.details(loaded)).username)

    async def finish(self, given: FinishChange, caller: Caller) -> PasswordWasSet:
        """
        Put a new password, and what was chosen with it, in force.

        Raises:
            TicketDeadError: The change is over, or the authenticator isn't the newest one shown.
            ChoiceUnavailableError: Not, or no longer, on offer.
            PasswordRefusedError: The password can't be taken.
            WrongCodeError: The new authenticator's code is wrong, or missing.
        """
        return await reloading(lambda: self._finish(given, caller))

    async def _finish(self, given: FinishChange, caller: Caller) -> PasswordWasSet:
        ground = self._ground
        opened = ground.tickets.open_change("change", given.change, ground.now())
        attempt = ground.attempt(
            caller, "password-changes/finish", given.change, given.choice, given.authenticator or ""
        )
        done = await ground.earlier(attempt)
        if done is not None:
            return await self._again(done, opened, given)
        loaded = await load_open(ground, opened)
        checked = await self._check(loaded, opened, given)

        async def decide() -> Decided[LoadedPerson]:
            return await self._decide(opened, given, checked, attempt, caller)

        again, written = await settle(ground.events, decision.account(loaded.person), decide)
        # Another try of the same request may have counted meanwhile.
        done = await ground.earlier(attempt) if written is None else None
        return PasswordWasSet(_two_factor(given.choice), position(again, written, done))

    async def _check(
        self, loaded: LoadedPerson, opened: OpenedChange, given: FinishChange
    ) -> _Checked:
        ground, now = self._ground, self._ground.now()
        offered = password_change.options(loaded.person, ground.policy(loaded), now)
        if given.choice not in offered:
            raise ChoiceUnavailableError(offered)
        candidate, step = None, None
        if given.choice == "setup_new":
            candidate = ground.tickets.open_candidate(given.authenticator or "", now)
            shown = (candidate.change, candidate.candidate)
            here = (opened.staff_id, opened.change.change)
            if (candidate.staff_id, candidate.change) != here or loaded.person.proposed != shown:
                raise TicketDeadError
        password = normalised(given.password)
        await self._check_password(loaded, password, _party(opened))
        if candidate is not None:
            step = totp.matching_time_step(candidate.seed, given.code or "", now)
            if step is None:
                raise WrongCodeError
        return _Checked(await ground.passwords.hash(password, _party(opened)), candidate, step)

    async def _check_password(self, loaded: LoadedPerson, password: str, party: Party) -> None:
        details = await self._changes.details(loaded)
        known = (
            details.username,
            details.email,
            details.email.partition("@")[0],
            details.display_name,
            loaded.organisation.name,
            self._ground.issuer,
        )
        # In a thread, one at a time: it is slow enough to keep everybody else waiting.
        async with self._judging.line_up(party):
            await asyncio.to_thread(check_new_password, password, known_words=known)
        current, owner = loaded.person.password, loaded.person.staff_id
        if current is not None and await self._prover.verify(
            current.credential, owner, password, party
        ):
            raise PasswordRefusedError("This is the current password; choose a new one.")

    async def _decide(
        self,
        opened: OpenedChange,
        given: FinishChange,
        checked: _Checked,
        attempt: Attempt,
        caller: Caller,
    ) -> Decided[LoadedPerson]:
        ground, now = self._ground, self._ground.now()
        loaded = await ground.loads.by_staff(opened.staff_id)
        if loaded is None:
            raise TicketDeadError
        if await ground.earlier(attempt) is not None:
            return Decided(loaded)
        person, candidate = loaded.person, checked.candidate
        new = NewCredentials(
            credential=str(uuid4()),
            choice=given.choice,
            candidate=candidate.candidate if candidate is not None else None,
            authenticator=str(uuid4()) if candidate is not None else None,
            time_step=checked.time_step,
        )
        decided = password_change.finish_change(
            person, ground.policy(loaded), opened.change, new, now
        )
        deadline = max(real_now(), loaded.place.clock) + 2 * PATIENCE
        await self._put(new.credential, "password", person.staff_id, checked.stored, deadline)
        if candidate is not None and new.authenticator is not None:
            await self._put(
                new.authenticator, "authenticator", person.staff_id, candidate.seed, deadline
            )
        # Past the entries' deadline they may be forgotten: the event must not come to count then.
        lapses = earliest(decided.lapses, deadline + ground.clock_ahead)
        bound = Decision(decided.drafts, decided.basis, lapses)
        proposal = ground.propose(bound, loaded, attempt.event_id, caller, staff(person))
        return Decided(loaded, proposal)

    async def _put(
        self, entry_id: str, kind: Kind, owner: str, secret: str | bytes, deadline: datetime
    ) -> None:
        key = self._ground.keys.ring.encryption
        plain = secret.encode() if isinstance(secret, str) else secret
        entry = seal(plain, entry_id=entry_id, kind=kind, owner=owner, deadline=deadline, key=key)
        await self._ground.vault.put(entry)

    async def _again(
        self, done: Counted, opened: OpenedChange, given: FinishChange
    ) -> PasswordWasSet:
        """The first answer again, for whoever proves to know the password that it set."""
        if not isinstance(done.fact, PasswordSet):
            raise TicketDeadError
        right = await self._prover.verify(
            done.fact.credential, opened.staff_id, normalised(given.password), _party(opened)
        )
        if not right:
            raise TicketDeadError
        return PasswordWasSet(_two_factor(done.fact.choice), done.position)


def _party(opened: OpenedChange) -> Party:
    """Who changes a password came by a link, or by a login."""
    return known(opened.staff_id, opened.change.change)


def _two_factor(choice: Choice) -> Literal["on", "off"]:
    """Whether 2FA is on after that choice: nobody is offered to keep what they haven't got."""
    return "off" if choice == "no_thanks" else "on"
