"""
Hashing a password anew after a login with it, where its hash is weaker than what is asked now.

The login was answered before: what fails here is left to the next one.
"""

from typing import Final
from uuid import uuid4

import structlog
from prometheus_client import Counter

from events.log.writer import Decided
from events.vault.port import VaultUnavailableError
from services.auth.domain import decision
from services.auth.domain.login import hash_again
from services.auth.domain.passwords import normalised
from services.auth.handlers.background import LATER, Background
from services.auth.handlers.entries import NewEntries
from services.auth.handlers.ground import Caller, Ground, settle
from services.auth.handlers.proof import Proof
from services.auth.ports import BusyError
from services.auth.turns import Turn, Turns
from services.projections.port import LoadedPerson
from services.shares import known

log = structlog.get_logger()

AT_ONCE: Final = 1
"""So that people who wait to be logged in go first."""
MOST_WAITING: Final = 100

HASHED_AGAIN: Final = Counter(
    "twofold_passwords_hashed_again_total", "Passwords whose hash was weaker than what is asked"
)

_NEXT_TIME: Final = (*LATER, BusyError, VaultUnavailableError)


class Rehashes:
    """Makes passwords' hashes as strong as new ones are."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._turns = Turns(AT_ONCE, most_waiting=MOST_WAITING)
        self._background = Background()

    def begin(self, proof: Proof, password: str, caller: Caller) -> None:
        """
        Hash *password* anew where that is due, without being waited for.

        Args:
            proof: That it is the right one, and what it was verified against.
            password: As typed.
            caller: Whose request it came with.
        """
        if not proof.password_right or not proof.hash_is_weaker or proof.credential is None:
            return
        try:
            turn = self._turns.line_up(known(proof.owner, "rehash"))
        except BusyError:
            return
        self._background.begin(
            self._hash_again(turn, proof.owner, proof.credential, password, caller)
        )

    async def drain(self) -> None:
        """Let what was begun be done."""
        await self._background.drain()

    async def _hash_again(
        self, turn: Turn, staff_id: str, verified: str, password: str, caller: Caller
    ) -> None:
        try:
            async with turn:
                await self._try(staff_id, verified, password, caller)
        except _NEXT_TIME as error:
            log.warning("password.not_hashed_again", error=type(error).__name__)
        except Exception:
            log.exception("password.not_hashed_again")

    async def _try(self, staff_id: str, verified: str, password: str, caller: Caller) -> None:
        ground, event_id = self._ground, str(uuid4())
        first = await ground.loads.by_staff(staff_id)
        if first is None or not hash_again(first.person, verified, event_id).drafts:
            return  # Another login of theirs was faster.
        stored = await ground.passwords.hash(normalised(password), known(staff_id, "rehash"))

        async def decide() -> Decided[LoadedPerson | None]:
            loaded = await ground.loads.by_staff(staff_id)
            if loaded is None:
                return Decided(None)
            entries, credential = NewEntries(ground, loaded), str(uuid4())
            decided = hash_again(loaded.person, verified, credential)
            if not decided.drafts:
                return Decided(None)
            await entries.put(credential, "password", stored.encode())
            bound = entries.bind(decided)
            return Decided(loaded, ground.propose(bound, loaded, event_id, caller, "system"))

        done, _ = await settle(ground.events, decision.account(first.person), decide)
        if done is not None:
            HASHED_AGAIN.inc()
