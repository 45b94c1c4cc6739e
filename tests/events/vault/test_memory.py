"""The vault in memory."""

import pytest

from events.vault.memory import MemoryVault
from tests.events.vault.suite import VaultSuite


@pytest.fixture
def vault() -> MemoryVault:
    return MemoryVault()


class TestMemoryVault(VaultSuite):
    pass
