"""What auth needs of the outside, beyond the log, the vault and the projections."""

from typing import Protocol

from services.shares import Party


class BusyError(Exception):
    """Too much waits already, most of it for the same party; try again."""


class Passwords(Protocol):
    """Slow, salted, peppered hashes of passwords."""

    async def hash(self, password: str, party: Party) -> str:
        """
        A new hash of *password* (normalised), as a PHC string.

        Args:
            password: Likewise.
            party: Who asks: it waits behind what the same party waits for already.

        Raises:
            BusyError: This party has too much waiting.
        """

    async def verify(self, stored: str | None, password: str, party: Party) -> bool:
        """
        Whether *password* (normalised) is the one that *stored* was made of.

        Args:
            stored: A PHC string; None where there is none: that costs the same, and is never right.
            password: As typed, normalised.
            party: Who asks.

        Raises:
            BusyError: This party has too much waiting.
        """

    def is_weaker(self, stored: str) -> bool:
        """
        Whether *stored* costs a guesser less than what `hash` makes now, and more in nothing.

        Args:
            stored: A PHC string that a password was verified against.
        """
