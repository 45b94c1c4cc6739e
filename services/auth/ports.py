"""What auth needs of the outside, beyond the log, the vault and the projections."""

from typing import Protocol


class BusyError(Exception):
    """More is waiting to be hashed than may wait; try again."""


class Passwords(Protocol):
    """Slow, salted, peppered hashes of passwords."""

    async def hash(self, password: str) -> str:
        """
        A new hash of *password* (normalised), as a PHC string.

        Raises:
            BusyError: Too many wait.
        """

    async def verify(self, stored: str | None, password: str) -> bool:
        """
        Whether *password* (normalised) is the one that *stored* was made of.

        Args:
            stored: A PHC string; None where there is none: that costs the same, and is never right.
            password: As typed, normalised.

        Raises:
            BusyError: Too many wait.
        """
