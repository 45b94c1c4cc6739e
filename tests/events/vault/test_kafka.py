"""The vault on a real broker, read from its projection."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from events.vault.kafka import KafkaVault
from events.vault.port import VaultUnavailableError
from tests.events.vault.suite import NEWER, VaultSuite, entry
from tests.services.projections.worlds import World, make_world


@pytest.fixture(scope="module")
async def world(kafka: str, database: str) -> AsyncIterator[World]:
    """Give a log and its projections, folded all the while."""
    async with make_world(kafka, database) as made:
        made.ring.encryption.keys = NEWER.keys  # What doesn't open isn't folded.
        async with made.folding():
            yield made


@pytest.fixture
def vault(world: World) -> KafkaVault:
    return world.vault


class TestKafkaVault(VaultSuite):
    async def test_an_entry_never_changes(self, vault: KafkaVault) -> None:
        """Whoever can write to the topic still can't put another secret in an entry's place."""
        one = entry()
        await vault.put(one)
        other = replace(entry(), id=one.id, owner=one.owner)
        with pytest.raises(VaultUnavailableError):
            await vault.put(other)
        with pytest.raises(VaultUnavailableError):
            await vault.put(replace(other, key_id="k9"))
        assert await vault.get(one.id) == one

    async def test_garbage_on_its_topic_is_passed_over(
        self, vault: KafkaVault, world: World
    ) -> None:
        one = entry()
        for value in (b"", b"{}", b"\xff", b"[]", one.to_bytes()):
            await world.vault_topic.append(entry().id, value)
        await vault.put(one)
        assert await vault.get(one.id) == one
