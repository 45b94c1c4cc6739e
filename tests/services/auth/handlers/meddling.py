"""Real passwords, hashed and verified as ever, with somebody watching or meddling."""

from collections import Counter

from events.facts import Draft
from services.auth.ports import Passwords
from services.shares import Party
from tests.services.auth.stage import Stage


class CountingPasswords:
    """Real passwords whose checks are counted."""

    def __init__(self, inner: Passwords) -> None:
        self._inner = inner
        self.verified: Counter[str | None] = Counter()
        self.parties: list[Party] = []

    async def hash(self, password: str, party: Party) -> str:
        return await self._inner.hash(password, party)

    async def verify(self, stored: str | None, password: str, party: Party) -> bool:
        self.verified[stored] += 1
        self.parties.append(party)
        return await self._inner.verify(stored, password, party)


class MeddlingPasswords(CountingPasswords):
    """Lets something happen while a password is being checked, once."""

    def __init__(self, inner: Passwords, stage: Stage, *drafts: Draft) -> None:
        super().__init__(inner)
        self._stage, self._drafts = stage, drafts

    async def verify(self, stored: str | None, password: str, party: Party) -> bool:
        drafts, self._drafts = self._drafts, ()
        if drafts:
            await self._stage.write(*drafts)
        return await super().verify(stored, password, party)
