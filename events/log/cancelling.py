"""Being cancelled, where a library may have swallowed it."""

import asyncio


def heed_cancellation() -> None:
    """
    Stop here, if this task was asked to stop and still runs.

    Before Python 3.12, `asyncio.wait_for` in a library can swallow a cancellation that comes just
    as what is waited for does (cpython#86296). Whoever loops for ever looks for it once a turn.

    Raises:
        CancelledError: This task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
