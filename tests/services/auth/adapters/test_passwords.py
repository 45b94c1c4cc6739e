"""argon2id in a bounded pool."""

import asyncio
import statistics
import time
from collections.abc import Iterator

import pytest
from argon2 import extract_parameters

from services.auth.adapters.passwords import Argon2Passwords
from services.auth.ports import BusyError
from services.shares import stranger

PEPPER = b"p" * 32
SOMEBODY = stranger("203.0.113.7")


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
