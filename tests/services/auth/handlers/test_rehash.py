"""Hashing a password anew after a login, on a log and a vault in memory."""

import asyncio
from collections.abc import Iterator

import pytest
from argon2 import extract_parameters

from events.facts import Draft
from events.staff import PasswordRehashed, PasswordSet
from events.vault.memory import MemoryVault
from events.vault.port import VaultUnavailableError
from events.vault.sealing import SealedEntry, unseal
from services.auth.adapters.passwords import Argon2Passwords
from services.auth.handlers import rehash
from services.auth.ports import BusyError
from services.shares import Party, known
from tests.services.auth.handlers.meddling import CountingPasswords
from tests.services.auth.stage import Stage
from tests.services.auth.web_client import BETTER, GOOD, Somebody, Web

KEY = "a-key-that-nobody-else-has-3"
STRONGER_KIB = 128


class Stronger(CountingPasswords):
    """What another version of the service asks for; counts what it hashes, meddles once."""

    def __init__(self, stage: Stage, *drafts: Draft) -> None:
        super().__init__(Argon2Passwords(stage.ring.derive("pepper"), memory_kib=STRONGER_KIB))
        self._stage, self._drafts = stage, drafts
        self.hashed = 0
        self.busy = False

    async def hash(self, password: str, party: Party) -> str:
        self.hashed += 1
        if self.busy:
            raise BusyError
        drafts, self._drafts = self._drafts, ()
        if drafts:
            await self._stage.write(*drafts)
        return await super().hash(password, party)


class BrokenVault(MemoryVault):
    """Reads, and takes nothing."""

    async def put(self, entry: SealedEntry) -> None:
        raise VaultUnavailableError


@pytest.fixture
def stronger(stage: Stage) -> Iterator[Stronger]:
    """Give stronger hashes than the stage makes."""
    made = Stronger(stage)
    yield made
    made.close()


async def somebody(stage: Stage) -> Somebody:
    return await stage.person(await stage.organisation())


async def logged_in(web: Web, who: Somebody, key: str | None = None) -> str:
    answer = await web.login(who, key=key)
    await web.service.logins.drain()
    return str(answer.expect(200, outcome="logged_in").body["session"])


async def memory_of(stage: Stage, who: Somebody) -> int:
    """The memory cost of the hash in force, in KiB."""
    person = (await stage.load(who)).person
    assert person.password is not None
    entry_id = person.password.credential
    entry = await stage.vault.get(entry_id)
    key, owner = stage.ring.encryption, who.staff_id
    stored = unseal(entry, entry_id=entry_id, kind="password", owner=owner, key=key)
    return extract_parameters(stored.decode()).memory_cost


async def rehashed(stage: Stage, who: Somebody) -> int:
    facts = await stage.facts(who.account)
    return sum(isinstance(fact, PasswordRehashed) for fact in facts)


class TestAWeakerHash:
    async def test_is_replaced_after_the_login_and_is_the_same_password(
        self, stage: Stage, stronger: Stronger
    ) -> None:
        web, sam = stage.open(stage.ground(passwords=stronger)), await somebody(stage)
        before = (await stage.load(sam)).person
        session = await logged_in(web, sam)
        assert await memory_of(stage, sam) == STRONGER_KIB
        after = (await stage.load(sam)).person
        assert before.password is not None
        assert after.password is not None
        assert after.password.credential != before.password.credential
        assert after.password.since == before.password.since
        assert after.credential_version == before.credential_version
        (await web.get("/api/session", token=session)).expect(200)
        await logged_in(web, sam)
        assert stronger.hashed == 1
        (await web.login(sam, BETTER)).expect(401, "invalid-credentials")

    async def test_servers_of_two_settings_take_no_turns(
        self, stage: Stage, stronger: Stronger
    ) -> None:
        strong, weak = stage.open(stage.ground(passwords=stronger)), stage.open()
        sam = await somebody(stage)
        for web in (weak, strong, weak, strong, weak):
            await logged_in(web, sam)
        assert (await rehashed(stage, sam), stronger.hashed) == (1, 1)
        assert await memory_of(stage, sam) == STRONGER_KIB

    async def test_is_replaced_once_however_many_log_in(
        self, stage: Stage, stronger: Stronger
    ) -> None:
        webs = [stage.open(stage.ground(passwords=stronger)) for _ in range(2)]
        sam = await somebody(stage)
        answers = await asyncio.gather(*(webs[n % 2].login(sam) for n in range(6)))
        assert {answer.status for answer in answers} == {200}
        for web in webs:
            await web.service.logins.drain()
        assert await rehashed(stage, sam) == 1
        await logged_in(webs[0], sam)

    async def test_the_answer_that_was_given_is_given_again(
        self, stage: Stage, stronger: Stronger
    ) -> None:
        web, sam = stage.open(stage.ground(passwords=stronger)), await somebody(stage)
        weak = stage.open()
        change = (await weak.open(await stage.link(sam))).expect(200).body["change"]
        first = (await weak.finish(change, "no_thanks", key=KEY)).expect(200)
        sam.password = BETTER
        await logged_in(web, sam)
        stage_vault = stage.vault
        assert isinstance(stage_vault, MemoryVault)
        fact = (await stage.facts(sam.account))[-2]
        assert isinstance(fact, PasswordSet)
        del stage_vault.entries[fact.credential]  # As the keeper does.
        again = (await weak.finish(change, "no_thanks", key=KEY)).expect(200)
        assert again.body | {"device": first.body["device"]} == first.body


class TestItIsLeftAlone:
    async def test_where_the_login_fails(self, stage: Stage, stronger: Stronger) -> None:
        web = stage.open(stage.ground(passwords=stronger))
        eve = await stage.person(await stage.organisation(), enrolled=True)
        (await web.login(eve, code=stage.wrong_code(eve))).expect(401, "invalid-credentials")
        (await web.login(eve, BETTER)).expect(401, "invalid-credentials")
        await web.service.logins.drain()
        assert stronger.hashed == 0

    async def test_where_a_new_password_came_first(self, stage: Stage) -> None:
        sam = await somebody(stage)
        stored = await stage.passwords.hash(BETTER, known(sam.staff_id, "test"))
        entry = await stage.put(sam, "password", stored.encode())
        fact = PasswordSet(credential=entry, choice="no_thanks", origin="link")
        meddling = Stronger(stage, Draft(sam.account, fact))
        web = stage.open(stage.ground(passwords=meddling))
        await logged_in(web, sam)
        assert (meddling.hashed, await rehashed(stage, sam)) == (1, 0)
        (await web.login(sam, GOOD)).expect(401, "invalid-credentials")
        sam.password = BETTER
        await logged_in(web, sam)
        meddling.close()

    async def test_where_too_much_waits_or_the_vault_takes_nothing(
        self, stage: Stage, stronger: Stronger
    ) -> None:
        sam = await somebody(stage)
        assert isinstance(stage.vault, MemoryVault)
        stronger.busy = True
        busy = stage.open(stage.ground(passwords=stronger))
        await logged_in(busy, sam)
        stronger.busy = False
        broken = BrokenVault()
        broken.entries = stage.vault.entries
        await logged_in(stage.open(stage.ground(passwords=stronger, vault=broken)), sam)
        assert await rehashed(stage, sam) == 0
        await logged_in(busy, sam)  # The next login does it.
        assert await rehashed(stage, sam) == 1

    async def test_where_too_many_wait(
        self, stage: Stage, stronger: Stronger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rehash, "AT_ONCE", 0)
        monkeypatch.setattr(rehash, "MOST_WAITING", 0)
        web, sam = stage.open(stage.ground(passwords=stronger)), await somebody(stage)
        await logged_in(web, sam)
        assert stronger.hashed == 0
