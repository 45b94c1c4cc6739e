"""What goes on after its caller was answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from events.log.port import LogError
from events.log.writer import NotDoneError, OutcomeUnknownError
from services.projections.port import ProjectionUnavailableError

LATER: Final = (LogError, NotDoneError, OutcomeUnknownError, ProjectionUnavailableError)
"""Not now: what goes on behind may be tried again."""

DRAIN_S: Final = 20.0


class Background:
    """Tasks that nobody waits for until the process ends."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let *work* go on; it deals with its own errors."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Let what was begun be done; what takes too long is given up."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=DRAIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
