"""What every vault does, whatever it keeps its entries in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from events import keys
from events.keys import RotatingKey
from events.vault.port import MissingEntryError, Vault
from events.vault.sealing import Kind, SealedEntry, rewrap, seal, unseal

KEY = keys.generate().encryption
NEWER = RotatingKey("k2", {**KEY.keys, "k2": bytes(32)})


def entry(kind: Kind = "password", **changes: object) -> SealedEntry:
    """A sealed entry of nobody in particular."""
    made = seal(
        b"secret",
        entry_id=str(uuid4()),
        kind=kind,
        owner=str(uuid4()),
        deadline=datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10),
        key=KEY,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class VaultSuite:
    """Tests for a fixture ``vault``."""

    async def test_gives_what_was_put(self, vault: Vault) -> None:
        one = entry()
        await vault.put(one)
        found = await vault.get(one.id)
        assert found == one
        assert (
            unseal(found, entry_id=one.id, kind="password", owner=one.owner, key=KEY) == b"secret"
        )

    async def test_what_is_not_there_is_missing_and_never_empty(self, vault: Vault) -> None:
        with pytest.raises(MissingEntryError):
            await vault.get(str(uuid4()))

    async def test_finds_those_that_are_there(self, vault: Vault) -> None:
        one, other = entry(), entry("authenticator")
        await vault.put(one)
        await vault.put(other)
        wanted = [one.id, str(uuid4()), other.id]
        assert await vault.find(wanted) == {one.id: one, other.id: other}
        assert await vault.find([]) == {}

    async def test_forgets(self, vault: Vault) -> None:
        one, other = entry(), entry()
        await vault.put(one)
        await vault.put(other)
        await vault.forget(one.id)
        with pytest.raises(MissingEntryError):
            await vault.get(one.id)
        assert await vault.get(other.id) == other
        await vault.forget(one.id)

    async def test_keeps_an_entry_that_is_wrapped_anew(self, vault: Vault) -> None:
        one = entry()
        await vault.put(one)
        again = rewrap(one, NEWER)
        await vault.put(again)
        found = await vault.get(one.id)
        assert found.key_id == "k2"
        assert (
            unseal(found, entry_id=one.id, kind="password", owner=one.owner, key=NEWER) == b"secret"
        )
