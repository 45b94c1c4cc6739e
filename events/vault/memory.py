"""A vault in memory, for tests of what stands on one."""

from collections.abc import Collection, Mapping

from events.vault.port import MissingEntryError
from events.vault.sealing import SealedEntry


class MemoryVault:
    """A `Vault` that one process keeps."""

    def __init__(self) -> None:
        self.entries: dict[str, SealedEntry] = {}

    async def put(self, entry: SealedEntry) -> None:
        self.entries[entry.id] = entry

    async def get(self, entry_id: str) -> SealedEntry:
        try:
            return self.entries[entry_id]
        except KeyError as error:
            raise MissingEntryError(entry_id) from error

    async def find(self, entry_ids: Collection[str]) -> Mapping[str, SealedEntry]:
        return {name: self.entries[name] for name in entry_ids if name in self.entries}

    async def forget(self, entry_id: str) -> None:
        self.entries.pop(entry_id, None)
