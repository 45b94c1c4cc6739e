"""What a vault must do."""

from collections.abc import Collection, Mapping
from typing import Protocol

from events.vault.sealing import SealedEntry


class VaultUnavailableError(Exception):
    """The vault can't be read or written now; this may be tried again. Never means "wrong"."""


class MissingEntryError(VaultUnavailableError):
    """An entry that the state names isn't there: the state has moved on. Load again, or refuse."""


class Vault(Protocol):
    """
    Sealed entries by id. An entry never changes.

    Every implementation passes `tests/events/vault/suite.py`.
    """

    async def put(self, entry: SealedEntry) -> None:
        """
        Keep *entry*; returns once `get` finds it, here and on every other server.

        Raises:
            VaultUnavailableError: It may or may not be kept; nothing names it yet.
        """

    async def get(self, entry_id: str) -> SealedEntry:
        """
        The entry.

        Raises:
            MissingEntryError: There is none by that id, or it is forgotten.
            VaultUnavailableError: The vault is away.
        """

    async def find(self, entry_ids: Collection[str]) -> Mapping[str, SealedEntry]:
        """
        Those of *entry_ids* that are there, in one round trip whether they are or not.

        Raises:
            VaultUnavailableError: The vault is away.
        """

    async def forget(self, entry_id: str) -> None:
        """
        Destroy the entry, if there is one.

        Raises:
            VaultUnavailableError: The vault is away.
        """
