"""Two projectors at once: each partition has one owner, and one that wakes late writes nothing."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.process_ids import signal_process
from services.demo.flows import World
from services.demo.people import Somebody
from services.demo.world import wait_until
from tests.faults.dumping import aside, folded_afresh, settled
from tests.faults.system import BACK_WITHIN_S, System

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def test_a_frozen_projector_is_replaced_and_its_writes_are_refused(
    system: System, world: World, tell: Callable[..., None]
) -> None:
    sam = world.join(world.organisation("Folded Twice Estates"))
    second, _ = system.another("project")
    first = system.pid("project")
    world.logged_in(sam)
    tell("two projectors", "200 logged_in")
    signal_process(first, signal.SIGSTOP)
    try:
        wait_until("a login", lambda: _logs_in(world, sam), BACK_WITHIN_S)
        tell("the first one frozen, leases held by the second", "200 logged_in")
        for _ in range(3):
            world.logged_in(sam)
    finally:
        signal_process(first, signal.SIGCONT)
    for _ in range(5):  # The woken one believes for a moment to hold its leases.
        world.logged_in(sam)
    second.kill()
    wait_until("a login", lambda: _logs_in(world, sam), BACK_WITHIN_S)
    tell("the second one killed, leases back at the first", "200 logged_in")

    after = aside(settled(system.kafka, system.database))
    ring = Path(system.told["TWOFOLD_KEYS"])
    afresh = aside(folded_afresh(system.kafka, system.database, ring, after.positions))
    assert after.differences(afresh) == []
    assert after.running == afresh.running
    tell("rows after it = a fresh fold to there", after.size)


def _logs_in(world: World, sam: Somebody) -> bool | None:
    answer = world.login(sam)
    assert answer.status in {200, 503}, answer.body
    if answer.status == 503:
        threading.Event().wait(0.2)  # As a client would that is told to try again.
        return None
    return True
