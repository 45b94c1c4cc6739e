"""Finishing a password change: everything is checked before it is hashed, and hashed once."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import uuid4

from events.facts import Counted
from events.log.writer import Decided
from events.staff import Choice, PasswordSet
from events.vault.personal import seal_source
from services.auth.domain import decision, password_change, totp
from services.auth.domain.errors import (
    ChoiceUnavailableError,
    PasswordRefusedError,
    TicketDeadError,
    WrongCodeError,
)
from services.auth.domain.password_change import NewCredentials
from services.auth.domain.passwords import check_new_password, normalised
from services.auth.handlers.entries import NewEntries
from services.auth.handlers.ground import (
    Attempt,
    Caller,
    Ground,
    position,
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
    """
    A new password, hashed, and the authenticator that was confirmed with it.

    Attributes:
        compared: Whether it is the password of these entries of the vault.
    """

    stored: str = field(repr=False)
    candidate: Candidate | None = None
    time_step: int | None = None
    compared: dict[str, bool] = field(default_factory=dict)


class FinishChanges:
    """The last call of a password change."""

    def __init__(self, ground: Ground, changes: PasswordChanges) -> None:
        self._ground, self._changes, self._prover = ground, changes, Prover(ground)
        self._judging = Turns(1, most_waiting=MOST_JUDGED)

    async def consider(self, change: str, password: str) -> Offer:
        """
        Whether *password* can be taken in an opened change; nothing is put in force.

        It isn't compared with the current one: that would answer any number of guesses.

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

        Last of all it is compared with the current one. So whoever guesses at that sets a password
        with each wrong guess, which ends the change: a link is worth one guess, however many race.

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
        checked, repeated = await self._check(loaded, opened, given), str(uuid4())

        async def decide() -> Decided[LoadedPerson | None]:
            return await self._decide(opened, given, checked, attempt, repeated, caller)

        again, written = await settle(ground.events, decision.account(loaded.person), decide)
        if again is None:
            raise PasswordRefusedError("This is the current password; choose a new one.")
        # Another try of the same request may have counted meanwhile.
        done = await ground.earlier(attempt) if written is None else None
        device = self._device(opened.staff_id, opened.change.device)
        return PasswordWasSet(_two_factor(given.choice), position(again, written, done), device)

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

    async def _decide(
        self,
        opened: OpenedChange,
        given: FinishChange,
        checked: _Checked,
        attempt: Attempt,
        repeated: str,
        caller: Caller,
    ) -> Decided[LoadedPerson | None]:
        """Decide; None: the password is the current one, which is recorded under *repeated*."""
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
        entries = NewEntries(ground, loaded)
        await entries.put(new.credential, "password", checked.stored.encode())
        if candidate is not None and new.authenticator is not None:
            await entries.put(new.authenticator, "authenticator", candidate.seed)
        # After the entries: a right guess is no faster than wrong ones, which would outrun it.
        if await self._is_current(loaded, given, checked, _party(opened)):
            source = await self._source(loaded, caller)
            decided = password_change.repeat_password(person, opened.change, source, now)
            return Decided(None, ground.propose(decided, loaded, repeated, caller, staff(person)))
        bound = entries.bind(decided)
        proposal = ground.propose(bound, loaded, attempt.event_id, caller, staff(person))
        return Decided(loaded, proposal)

    async def _is_current(
        self, loaded: LoadedPerson, given: FinishChange, checked: _Checked, party: Party
    ) -> bool:
        person, compared = loaded.person, checked.compared
        if person.password is None:
            return False
        entry_id = person.password.credential
        if entry_id not in compared:
            compared[entry_id] = await self._prover.verify(
                entry_id, person.staff_id, normalised(given.password), party
            )
        return compared[entry_id]

    async def _source(self, loaded: LoadedPerson, caller: Caller) -> str:
        data_key = await self._prover.data_key(loaded.person)
        return seal_source(
            caller.address, caller.user_agent, owner=loaded.person.staff_id, data_key=data_key
        )

    async def _again(
        self, done: Counted, opened: OpenedChange, given: FinishChange
    ) -> PasswordWasSet:
        """The first answer again, for whoever proves to know the password that it set."""
        loaded = await self._ground.loads.by_staff(opened.staff_id)
        password = loaded.person.password if loaded is not None else None
        # Still that one; its entry may be another by now.
        if not isinstance(done.fact, PasswordSet) or password is None or password.since != done.at:
            raise TicketDeadError
        right = await self._prover.verify(
            password.credential, opened.staff_id, normalised(given.password), _party(opened)
        )
        if not right:
            raise TicketDeadError
        device = self._device(opened.staff_id, done.fact.device)
        return PasswordWasSet(_two_factor(done.fact.choice), done.position, device)

    def _device(self, staff_id: str, device: str | None) -> str | None:
        ground = self._ground
        return device and ground.tickets.device(staff_id, device, ground.now())


def _party(opened: OpenedChange) -> Party:
    """Who changes a password came by a link, or by a login."""
    return known(opened.staff_id, opened.change.change)


def _two_factor(choice: Choice) -> Literal["on", "off"]:
    """Whether 2FA is on after that choice: nobody is offered to keep what they haven't got."""
    return "off" if choice == "no_thanks" else "on"
