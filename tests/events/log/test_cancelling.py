"""A cancellation that something swallowed is heeded at the next turn."""

import asyncio
import contextlib

from events.log.cancelling import heed_cancellation


async def test_a_swallowed_cancellation_is_heeded_at_the_next_turn() -> None:
    turns = []

    async def loops() -> None:
        while True:
            heed_cancellation()
            turns.append("a turn")
            with contextlib.suppress(asyncio.CancelledError):  # As a library may.
                await asyncio.Event().wait()

    task = asyncio.create_task(loops())
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled()
    assert turns == ["a turn"]


async def test_nobody_is_stopped_who_was_not_cancelled() -> None:
    heed_cancellation()
