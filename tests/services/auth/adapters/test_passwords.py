"""argon2id in a bounded pool."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from services.auth.adapters.passwords import Argon2Passwords, _is_weaker
from services.auth.ports import BusyError
from services.shares import stranger

PEPPER = b"p" * 32
SOMEBODY = stranger("203.0.113.7")
SETTINGS = st.builds(
    Parameters,
    type=st.just(Type.ID),
    version=st.sampled_from([16, 19]),
    salt_len=st.just(16),
    hash_len=st.sampled_from([16, 32]),
    time_cost=st.integers(1, 3),
    memory_cost=st.integers(1, 3),
    parallelism=st.integers(1, 2),
)


@pytest.fixture
def passwords() -> Iterator[Argon2Passwords]:
    """Give the real thing, at its real cost."""
    made = Argon2Passwords(PEPPER)
    yield made
    made.close()


async def test_hashes_as_owasp_asks(passwords: Argon2Passwords) -> None:
    stored = await passwords.hash("amber-barley-cobalt", SOMEBODY)
    parameters = extract_parameters(stored)
    assert parameters.type.name == "ID"
    assert parameters.memory_cost >= 19 * 1024
    assert (parameters.time_cost >= 2, parameters.parallelism) == (True, 1)
    assert await passwords.verify(stored, "amber-barley-cobalt", SOMEBODY)
    assert not await passwords.verify(stored, "amber-barley-cobald", SOMEBODY)
    assert await passwords.hash("amber-barley-cobalt", SOMEBODY) != stored


async def test_a_stolen_hash_is_nothing_without_the_pepper(passwords: Argon2Passwords) -> None:
    other = Argon2Passwords(b"q" * 32)
    assert not await other.verify(
        await passwords.hash("amber-barley", SOMEBODY), "amber-barley", SOMEBODY
    )
    other.close()


@pytest.mark.parametrize("stored", ["", "nonsense", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA"])
async def test_what_is_no_hash_is_never_right(stored: str, passwords: Argon2Passwords) -> None:
    assert not await passwords.verify(stored, "", SOMEBODY)


async def test_nobodys_password_costs_the_same_and_is_never_right(
    passwords: Argon2Passwords,
) -> None:
    stored = await passwords.hash("amber-barley", SOMEBODY)
    took: dict[str | None, list[float]] = {stored: [], None: []}
    for _ in range(9):
        for one, times in took.items():
            started = time.perf_counter()
            assert not await passwords.verify(one, "wrong", SOMEBODY)
            times.append(time.perf_counter() - started)
    gap = abs(statistics.median(took[stored]) - statistics.median(took[None]))
    assert gap < 0.005 + 0.2 * statistics.median(took[stored])


async def test_beyond_its_queue_it_refuses_and_then_goes_on() -> None:
    passwords = Argon2Passwords(PEPPER, memory_kib=64, workers=1, longest_queue=3)
    tries = [asyncio.create_task(passwords.hash(str(n), SOMEBODY)) for n in range(10)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    refused = [one for one in done if isinstance(one, BusyError)]
    assert (len(done) - len(refused), len(refused)) == (4, 6)
    assert await passwords.hash("again", SOMEBODY)
    passwords.close()


class TestIsWeaker:
    @staticmethod
    def hashed(memory_kib: int, time_cost: int, kind: Type = Type.ID, length: int = 32) -> str:
        return PasswordHasher(time_cost, memory_kib, 1, hash_len=length, type=kind).hash("x")

    @pytest.mark.parametrize(
        ("stored", "weaker"),
        [
            ((64, 2), False),
            ((32, 2), True),
            ((64, 1), True),
            ((64, 2, Type.ID, 16), True),
            ((64, 2, Type.I), True),
            ((128, 2), False),
            ((64, 3), False),
            # More of one for less of another is no weaker: two such never take turns.
            ((128, 1), False),
            ((32, 3), False),
        ],
    )
    def test_is_what_has_less_of_something_and_more_of_nothing(
        self, stored: tuple[Any, ...], weaker: bool
    ) -> None:
        passwords = Argon2Passwords(PEPPER, memory_kib=64)
        assert passwords.is_weaker(self.hashed(*stored)) is weaker
        passwords.close()

    async def test_what_it_makes_itself_is_not(self) -> None:
        passwords = Argon2Passwords(PEPPER, memory_kib=64)
        assert not passwords.is_weaker(await passwords.hash("amber-barley", SOMEBODY))
        passwords.close()

    @given(st.lists(SETTINGS, min_size=2, max_size=8))
    def test_servers_of_different_settings_come_to_an_end(self, servers: list[Parameters]) -> None:
        """However their turns fall, each hash is stronger than all before it."""
        stored, before = servers[0], list[Parameters]()
        for server in servers * 8:
            if _is_weaker(stored, server):
                before.append(stored)
                stored = server
        assert not any(_is_weaker(stored, one) for one in (*servers, *before))
        assert len(before) < len(servers)
