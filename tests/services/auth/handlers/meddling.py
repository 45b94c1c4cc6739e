"""Real passwords, hashed and verified as ever, with somebody watching or meddling."""

from collections import Counter

from events.facts import Draft
from services.auth.adapters.passwords import Argon2Passwords
from services.shares import Party
from tests.services.auth.stage import Stage


class CountingPasswords:
    """Real passwords whose checks are counted."""

    def __init__(self, inner: Argon2Passwords) -> None:
        self._inner = inner
        self.verified: Counter[str | None] = Counter()
        self.parties: list[Party] = []

    async def hash(self, password: str, party: Party) -> str:
        return await self._inner.hash(password, party)

    async def verify(self, stored: str | None, password: str, party: Party) -> bool:
        self.verified[stored] += 1
        self.parties.append(party)
        return await self._inner.verify(stored, password, party)

    def is_weaker(self, stored: str) -> bool:
        return self._inner.is_weaker(stored)

    def close(self) -> None:
        self._inner.close()


class MeddlingPasswords(CountingPasswords):
    """Lets something happen while a password is being checked, once."""

    def __init__(self, inner: Argon2Passwords, stage: Stage, *drafts: Draft) -> None:
        super().__init__(inner)
        self._stage, self._drafts = stage, drafts

    async def verify(self, stored: str | None, password: str, party: Party) -> bool:
        drafts, self._drafts = self._drafts, ()
        if drafts:
            await self._stage.write(*drafts)
        return await super().verify(stored, password, party)
