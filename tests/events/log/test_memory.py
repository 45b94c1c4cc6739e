"""The log in memory is a log."""

import pytest

from events.log.memory import MemoryLog
from events.log.port import EventLog
from tests.events.log.suite import EventLogSuite


class TestMemoryLog(EventLogSuite):
    @pytest.fixture
    def log(self) -> EventLog:
        return MemoryLog({}, 2, forgetful=True)
