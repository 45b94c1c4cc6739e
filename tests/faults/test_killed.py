"""SIGKILL for everything in the middle of use: nothing that was answered is lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.demo.flows import World
from services.demo.world import wait_until
from tests.faults.dumping import aside, dump, folded_afresh, settled
from tests.faults.reading import history
from tests.faults.system import System
from tests.faults.use import Answered, Use

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ENOUGH = 5
IN_USE_S = 40.0


def test_nothing_that_was_answered_is_lost(system: System, tell: Callable[..., None]) -> None:
    world = system.world()
    use = Use(system, world, world.organisation("Killed Estates"))
    with use.under_way() as answered:
        wait_until("use", lambda: _is_enough(answered) or None, IN_USE_S)
        before = aside(dump(system.database))
        killed = system.kill()
    world.close()
    took = system.up()
    tell("answered before the kill", answered)
    tell("processes killed, seconds until ready again", killed, f"{took:.1f} s")

    world = system.world()
    try:
        tell("answered, and there", _is_there(system, world, answered))
    finally:
        world.close()

    ring = Path(system.told["TWOFOLD_KEYS"])
    afresh = aside(folded_afresh(system.kafka, system.database, ring, before.positions))
    assert before.differences(afresh) == []
    assert before.running == afresh.running
    tell("rows before the kill = a fresh fold to there", before.size)

    after = aside(settled(system.kafka, system.database))
    afresh = aside(folded_afresh(system.kafka, system.database, ring, after.positions))
    assert after.differences(afresh) == []
    assert after.running == afresh.running
    tell("rows after it = a fresh fold to there", after.size)


def _is_enough(answered: Answered) -> bool:
    done = answered.sessions, answered.wrong, answered.passwords, answered.commands
    return min(len(one) for one in done) >= ENOUGH - 2 and len(answered.sessions) >= 4 * ENOUGH


def _is_there(system: System, world: World, answered: Answered) -> str:
    """Check every answer; gives how many there were."""
    assert answered.sessions
    assert answered.passwords
    assert answered.commands
    records = history(system.kafka)
    for who, session, position in answered.sessions:
        _, partition, offset = position.split(":")
        record = records[int(partition)][int(offset)]
        assert record["subject"] == who.codes
        world.auth.get("/api/session", session).expect(200)
    for who, refusals in answered.wrong.values():
        guesses = [
            r for one in records.values() for r in one.values() if r["subject"] == who.guesses
        ]
        assert len(guesses) >= refusals
    for who, old in answered.passwords:
        world.login(who, password=old).expect(401, "invalid-credentials")
        world.login(who).expect(200, outcome="logged_in")
    for who, old, new in answered.torn:
        statuses = [world.login(who, password=one).status for one in (old, new)]
        assert sorted(statuses) == [200, 401], "one of them, whole"
    for command_id, (outcome, value, key) in answered.commands.items():
        assert world.operator.publish(value, command_id, key) == outcome
    return str(answered)
