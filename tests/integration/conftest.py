"""The whole system, as the fault tests bring it up."""

from tests.faults.conftest import system, tell, world

__all__ = ["system", "tell", "world"]
