"""argon2id over the peppered password (OWASP Password Storage; RFC 9106), in a bounded pool."""

import asyncio
import hmac
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Final, TypeVar

from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from prometheus_client import Gauge, Histogram

from services.auth.turns import Turns
from services.shares import Party

R = TypeVar("R")

MEMORY_KIB: Final = 19 * 1024
TIME_COST: Final = 2
LANES: Final = 1
LONGEST_QUEUE: Final = 200
"""How many may wait for a core, party by party in turn; 200 wait some four seconds on two."""

QUEUED = Gauge("twofold_hashing_queued", "Passwords being hashed, or waiting to be")
SECONDS = Histogram("twofold_hashing_seconds", "Time to hash one, without waiting")


class Argon2Passwords:
    """`Passwords` by argon2id; each hash takes 19 MiB while it runs, so that few run at once."""

    def __init__(
        self,
        pepper: bytes,
        *,
        memory_kib: int = MEMORY_KIB,
        workers: int | None = None,
        longest_queue: int = LONGEST_QUEUE,
    ) -> None:
        """
        Args:
            pepper: 32 bytes, kept apart from the hashes.
            memory_kib: Of each hash; the default is the floor outside of tests.
            workers: How many run at once; None: one a core.
            longest_queue: How many may wait; beyond that, whoever has the most waiting is refused.
        """
        self._pepper = pepper
        self._hasher = PasswordHasher(TIME_COST, memory_kib, LANES, type=Type.ID)
        # Made with the parameters in force, so that nobody's absence shows in the time it takes.
        self._nobody = self._hasher.hash(secrets.token_bytes(32))
        self._asked = extract_parameters(self._nobody)
        workers = workers or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._turns = Turns(workers, most_waiting=longest_queue)

    async def hash(self, password: str, party: Party) -> str:
        peppered = self._peppered(password)
        return await self._run(lambda: self._hasher.hash(peppered), party)

    async def verify(self, stored: str | None, password: str, party: Party) -> bool:
        peppered = self._peppered(password)
        compared = stored or self._nobody
        right = await self._run(lambda: _matches(self._hasher, compared, peppered), party)
        return right and stored is not None

    def is_weaker(self, stored: str) -> bool:
        return _is_weaker(extract_parameters(stored), self._asked)

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=True)

    def _peppered(self, password: str) -> bytes:
        return hmac.digest(self._pepper, password.encode("utf-8", "replace"), sha256)

    async def _run(self, work: Callable[[], R], party: Party) -> R:
        with QUEUED.track_inprogress():
            async with self._turns.line_up(party):
                return await asyncio.get_running_loop().run_in_executor(
                    self._pool, SECONDS.time()(work)
                )


def _matches(hasher: PasswordHasher, stored: str, peppered: bytes) -> bool:
    try:
        return hasher.verify(stored, peppered)
    except (Argon2Error, InvalidHashError):
        return False


def _is_weaker(stored: Parameters, asked: Parameters) -> bool:
    """
    Whether *stored* has less of something and more of nothing.

    Of two settings at most one is weaker than the other, and no chain of weaker ones closes: so
    processes that hash by different ones, as while a new version is rolled out, come to an end.
    """
    if stored.type is not asked.type:
        return stored.type is not Type.ID
    pairs = list(zip(_costs(stored), _costs(asked), strict=True))
    return any(had < wants for had, wants in pairs) and all(had <= wants for had, wants in pairs)


def _costs(one: Parameters) -> tuple[int, ...]:
    """What a guess costs by; more lanes alone make it no dearer."""
    return one.version, one.memory_cost, one.time_cost, one.hash_len, one.salt_len
