"""The vault on Kafka: written to its topic, read from the projection that everybody shares."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final, Protocol

from events.log.port import AppendUnknownError, LogUnavailableError
from events.vault.port import MissingEntryError, VaultUnavailableError
from events.vault.sealing import SealedEntry, UnsealingError
from events.vault.topic import VaultTopic

KEPT_WITHIN: Final = timedelta(seconds=8)
"""How long a `put` waits to see its entry in the projection."""


class EntriesUnavailableError(Exception):
    """The projection of the vault can't be asked now."""


class Entries(Protocol):
    """The vault's topic, as it is folded."""

    async def entries(self, entry_ids: Collection[str]) -> Mapping[str, bytes]:
        """
        Sealed entries, those that are there, in one round trip.

        Raises:
            EntriesUnavailableError: The projection can't be asked.
        """

    async def passed(self, partition: int, offset: int, within: timedelta) -> bool:
        """Wait until *offset* is folded; False if that takes longer."""


class KafkaVault:
    """A `Vault` on the vault's topic and its projection."""

    def __init__(self, topic: VaultTopic, entries: Entries) -> None:
        self._topic, self._entries = topic, entries

    async def put(self, entry: SealedEntry) -> None:
        value = entry.to_bytes()
        await self._append(entry.id, value)
        if (await self._fetch([entry.id])).get(entry.id) != value:
            raise VaultUnavailableError("The entry was acknowledged, and isn't there.")

    async def get(self, entry_id: str) -> SealedEntry:
        found = await self.find([entry_id])
        if entry_id not in found:
            raise MissingEntryError(entry_id)
        return found[entry_id]

    async def find(self, entry_ids: Collection[str]) -> Mapping[str, SealedEntry]:
        found = await self._fetch(entry_ids)
        try:
            return {name: SealedEntry.from_bytes(value) for name, value in found.items()}
        except UnsealingError as error:
            raise VaultUnavailableError("The vault holds something that is no entry.") from error

    async def forget(self, entry_id: str) -> None:
        await self._append(entry_id, None)

    async def _append(self, entry_id: str, value: bytes | None) -> None:
        try:
            partition, offset = await self._topic.append(entry_id, value)
        except (LogUnavailableError, AppendUnknownError) as error:
            raise VaultUnavailableError(str(error)) from error
        if not await self._entries.passed(partition, offset, KEPT_WITHIN):
            raise VaultUnavailableError("The vault's projection is too far behind.")

    async def _fetch(self, entry_ids: Collection[str]) -> Mapping[str, bytes]:
        try:
            return await self._entries.entries(entry_ids)
        except EntriesUnavailableError as error:
            raise VaultUnavailableError(str(error)) from error
