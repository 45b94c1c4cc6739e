"""A login's way from load to answer, on a log and a vault in memory."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from events.facts import Draft
from events.staff import PasswordSet, StaffDeactivated
from events.vault.memory import MemoryVault
from events.vault.personal import unseal_source
from events.vault.port import VaultUnavailableError
from events.vault.sealing import SealedEntry
from services.auth.handlers.ground import REFUSED_EVERY
from services.shares import known, stranger
from tests.services.auth.handlers.meddling import CountingPasswords, MeddlingPasswords
from tests.services.auth.stage import HOME, Stage
from tests.services.auth.web_client import BETTER, GOOD, Somebody, Web

SEALED = "A" * 40


class AskedVault(MemoryVault):
    """Remembers what it was asked for; loses what it is told to, so many times."""

    def __init__(self, entries: dict[str, SealedEntry]) -> None:
        super().__init__()
        self.entries = entries
        self.asked: list[int] = []
        self.missing = 0
        self.away = False

    async def find(self, entry_ids: Collection[str]) -> Mapping[str, SealedEntry]:
        if self.away:
            raise VaultUnavailableError
        self.asked.append(len(set(entry_ids)))
        if self.missing:
            self.missing -= 1
            return {}
        return await super().find(entry_ids)


def counting(stage: Stage) -> tuple[Web, CountingPasswords, AskedVault]:
    assert isinstance(stage.vault, MemoryVault)
    passwords, vault = CountingPasswords(stage.passwords), AskedVault(stage.vault.entries)
    return stage.open(stage.ground(passwords=passwords, vault=vault)), passwords, vault


async def somebody(stage: Stage, *, enrolled: bool = False) -> Somebody:
    return await stage.person(await stage.organisation(), enrolled=enrolled)


class TestEverybodyCostsTheSame:
    @pytest.mark.parametrize("known", ["no", "without 2fa", "with 2fa"])
    async def test_one_hash_and_one_question_to_the_vault_for_three_entries_a_load(
        self, stage: Stage, known: str
    ) -> None:
        web, passwords, vault = counting(stage)
        who = await somebody(stage, enrolled=known == "with 2fa")
        username = "nobody" if known == "no" else who.username
        (await web.login(username, BETTER, "123456")).expect(401, "invalid-credentials")
        assert passwords.verified.total() == 1
        assert vault.asked == [3]

    async def test_what_cannot_be_a_password_costs_as_much_and_is_not_hashed_itself(
        self, stage: Stage
    ) -> None:
        web, passwords, _ = counting(stage)
        for name in ((await somebody(stage)).username, "nobody"):
            for given in ("x" * 129, "\N{ZERO WIDTH SPACE}"):
                (await web.login(name, given)).expect(401, "invalid-credentials")
        assert passwords.verified == {None: 4}

    async def test_a_paused_try_is_neither_hashed_nor_appended(self, stage: Stage) -> None:
        web, passwords, _ = counting(stage)
        sam = await somebody(stage)
        for name in (sam.username, "nobody"):
            for _ in range(4):
                await web.login(name, BETTER)
            before = passwords.verified.total()
            (await web.login(name, GOOD)).expect(429, "too-many-attempts")
            assert passwords.verified.total() == before
        assert len(await stage.facts(sam.guesses)) == 4

    async def test_a_refusal_comes_at_a_moment_that_tells_nothing(self, stage: Stage) -> None:
        web, sam = stage.open(), await somebody(stage)
        every = REFUSED_EVERY.total_seconds()
        for name in (sam.username, "nobody", *["paused"] * 6):
            login = await web.start(name)
            began = time.monotonic()
            assert (await web.login(name, BETTER, login=login)).status in {401, 429}
            assert time.monotonic() - began >= every


class TestWhoseTurnItIs:
    async def test_everybody_s_who_is_unknown_here_is_the_address_s(self, stage: Stage) -> None:
        web, passwords, _ = counting(stage)
        sam, alex = await somebody(stage), await somebody(stage)
        others = (await web.login(alex)).body["device"]
        passwords.parties.clear()
        for name, device in (("nobody", None), (sam.username, None), (sam.username, others)):
            (await web.login(name, BETTER, device=device)).expect(401, "invalid-credentials")
        assert passwords.parties == [stranger("127.0.0.1")] * 3

    async def test_a_device_that_logged_somebody_in_has_its_own(self, stage: Stage) -> None:
        web, passwords, _ = counting(stage)
        sam = await somebody(stage)
        device = (await web.login(sam)).body["device"]
        await web.login(sam, BETTER, device=device)
        assert passwords.parties[-1][:2] == ("known", sam.staff_id)


class TestWhatMovedMeanwhile:
    async def test_a_new_password_is_verified_against_instead(self, stage: Stage) -> None:
        sam = await somebody(stage)
        stored = await stage.passwords.hash(BETTER, known(sam.staff_id, "test"))
        entry = await stage.put(sam, "password", stored.encode())
        fact = PasswordSet(credential=entry, choice="no_thanks", origin="link")
        passwords = MeddlingPasswords(stage.passwords, stage, Draft(sam.account, fact))
        web = stage.open(stage.ground(passwords=passwords))
        (await web.login(sam)).expect(401, "invalid-credentials")
        assert sorted(passwords.verified.values()) == [1, 1]

    async def test_nothing_is_hashed_twice_against_the_same_hash(self, stage: Stage) -> None:
        sam = await somebody(stage)
        fact = StaffDeactivated(reason=SEALED)
        passwords = MeddlingPasswords(stage.passwords, stage, Draft(sam.account, fact))
        web = stage.open(stage.ground(passwords=passwords))
        (await web.login(sam)).expect(401, "invalid-credentials")
        assert [one.outcome for one in await stage.facts(sam.codes)] == ["deactivated"]
        assert passwords.verified.total() == 1

    async def test_parallel_guesses_are_all_counted_or_paused(self, stage: Stage) -> None:
        web, sam = stage.open(), await somebody(stage)
        answers = await asyncio.gather(*(web.login(sam, BETTER) for _ in range(30)))
        statuses = Counter(answer.status for answer in answers)
        assert set(statuses) <= {401, 429}
        assert len(await stage.facts(sam.guesses)) == statuses[401] == 4


class TestTheVault:
    async def test_an_entry_that_is_missing_once_is_looked_for_again(self, stage: Stage) -> None:
        web, _, vault = counting(stage)
        vault.missing = 1
        (await web.login(await somebody(stage))).expect(200, outcome="logged_in")

    async def test_a_session_needs_neither_password_nor_seed(self, stage: Stage) -> None:
        web, _, vault = counting(stage)
        eve = await somebody(stage, enrolled=True)
        token = (await web.login(eve, code=stage.code(eve))).expect(200).body["session"]
        vault.entries = {k: one for k, one in vault.entries.items() if one.kind == "personal"}
        (await web.get("/api/session", token=token)).expect(200, username=eve.username)

    async def test_an_entry_that_stays_missing_is_no_wrong_password(self, stage: Stage) -> None:
        web, _, vault = counting(stage)
        sam = await somebody(stage)
        vault.missing = 2
        answer = await web.login(sam)
        assert answer.expect(503, "unavailable").headers["retry-after"]
        assert await stage.facts(sam.guesses) == []
        vault.away = True
        (await web.login(sam)).expect(503, "unavailable")

    async def test_a_swapped_entry_opens_nothing(self, stage: Stage) -> None:
        """Whoever can write the vault's topic can't give somebody their own password's hash."""
        web, _, vault = counting(stage)
        sam, thief = await somebody(stage), await somebody(stage)
        first, second = [(await stage.load(one)).person.password for one in (sam, thief)]
        assert first is not None
        assert second is not None
        stolen = vault.entries[second.credential]
        vault.entries[first.credential] = replace(stolen, id=first.credential)
        (await web.login(sam)).expect(503, "unavailable")


class TestWhatIsRecorded:
    async def test_where_it_came_from_is_sealed_with_the_persons_key(self, stage: Stage) -> None:
        web, sam = stage.open(), await somebody(stage)
        await web.login(sam, headers={"User-Agent": "Mozilla/5.0 (canary)"})
        (attempt,) = await stage.facts(sam.codes)
        assert "canary" not in attempt.model_dump_json()
        loaded = await stage.load(sam)
        entry = await stage.vault.get(loaded.person.data_key)
        from events.vault.sealing import unseal  # noqa: PLC0415

        data_key = unseal(
            entry,
            entry_id=entry.id,
            kind="personal",
            owner=sam.staff_id,
            key=stage.ring.encryption,
        )
        address, agent = unseal_source(attempt.source, owner=sam.staff_id, data_key=data_key)
        assert (address, agent) == ("127.0.0.1", "Mozilla/5.0 (canary)")

    async def test_a_stranger_leaves_nothing_but_a_digest(self, stage: Stage) -> None:
        web = stage.open()
        typed = "my-password-typed-as-a-username"
        (await web.login(typed, GOOD)).expect(401, "invalid-credentials")
        digest = stage.ground().digest_of(typed)
        (attempt,) = await stage.counted(f"stranger/{digest}")
        assert attempt.fact.outcome == "wrong_password"  # type: ignore[attr-defined]
        values = [one.record.value or b"" for one in stage.logs[1].judged[0]]
        assert not any(typed.encode() in value for value in values)

    async def test_spellings_of_a_username_share_their_count(self, stage: Stage) -> None:
        web = stage.open()
        for name in ("Nobody.Here", "nobody.here", "NOBODY.HERE", "ｎobody.here"):
            (await web.login(name, GOOD)).expect(401, "invalid-credentials")
        (await web.login("nobody.here", GOOD)).expect(429, "too-many-attempts")


async def test_in_supports_home_2fa_is_always_mandatory(stage: Stage) -> None:
    web = stage.open()
    sue = await stage.person(await stage.organisation(HOME))
    sent = await web.login(sue)
    sent.expect(200, outcome="link_sent", reason="two_factor_mandatory")
    (await web.open(await stage.mailed(sue))).expect(200, options=["setup_new"])
