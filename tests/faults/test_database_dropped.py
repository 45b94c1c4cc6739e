"""The database dropped: everything is folded back from Kafka, and nothing happens a second time."""

from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import pytest

from services.demo.behaviours import NO_THANKS, SETUP_NEW
from services.demo.flows import World, accepted
from services.demo.people import Somebody
from services.demo.world import wait_until
from tests.faults.dumping import aside, drop, settled
from tests.faults.reading import history, raw
from tests.faults.system import System

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def test_everything_is_folded_back_and_nothing_is_done_twice(
    system: System, tell: Callable[..., None]
) -> None:
    world = system.world()
    try:
        people = _people(world)
        command_id = str(uuid4())
        value = world.operator.write("deactivate_staff", world.about(people[0]), command_id)
        organisation_id = people[0].organisation_id
        outcome = accepted(world.operator.publish(value, command_id, organisation_id))
        wait_until("the last e-mail", lambda: _is_told(system, people[0]) or None)
        mails, outcomes, counted = _mails(system), _outcomes(system), _events(system)
        before = aside(settled(system.kafka, system.database))
        aside(drop(system.database))
        world.login(people[1]).expect(503)
        tell("a login while there is no database", "503, nothing opens")
    finally:
        world.close()
    system.stop()
    took = system.up()
    tell("seconds until ready again", f"{took:.1f} s")

    after = aside(settled(system.kafka, system.database))
    assert _events(system) == counted
    assert after.differences(before, without=["recent_record"]) == []  # Ticks may have come.
    assert sorted(map(repr, after.entries)) == sorted(map(repr, before.entries))
    tell("rows folded back = rows before", after.size, f"{len(after.entries)} in the vault")
    assert _mails(system) == mails
    tell("e-mails before, after", f"{len(mails)}, {len(_mails(system))}: none sent again")
    assert _outcomes(system) == outcomes
    tell("commands' outcomes before, after", f"{sum(outcomes.values())}, the same")

    world = system.world()
    try:
        for who in people[1:]:
            answer = world.logged_in(who)
            tell(f"{who.username} logs in with the same password", answer.body["two_factor"])
        world.login(people[0]).expect(401, "invalid-credentials")
        assert world.operator.publish(value, command_id, organisation_id) == outcome
        deactivated = [r for r in _of(system, people[0].account) if "deactivated" in r["type"]]
        assert len(deactivated) == 1
        tell("the same command again", f"{outcome['outcome']}, the same position, one effect")
    finally:
        world.close()


def _people(world: World) -> list[Somebody]:
    """One to be deactivated, one without 2FA, two with it, one of whom kept on by a reset."""
    organisation_id = world.organisation("Dropped Estates")
    people = [world.join(organisation_id, choice=choice) for choice in (NO_THANKS, NO_THANKS)]
    people += [world.join(organisation_id, choice=SETUP_NEW) for _ in range(2)]
    change = world.open(world.ask_for_link(people[1])).body["change"]
    world.finish(people[1], change, NO_THANKS).expect(200)
    return people


def _mails(system: System) -> list[str]:
    """Names of mails: they say when each came, so one that came again has another."""
    return sorted(path.name for path in (system.folder / "mail").glob("*.eml"))


def _is_told(system: System, who: Somebody) -> bool:
    """Whether somebody was mailed that they are deactivated: the last thing that happened."""
    paths = (system.folder / "mail").glob("*deactivated*.eml")
    return any(who.email in path.read_text() for path in paths)


def _outcomes(system: System) -> Counter[bytes]:
    """How many outcomes were published for each command."""
    return Counter(key or b"" for _, _, key, _ in raw(system.kafka, "twofold.command-outcomes"))


def _events(system: System) -> int:
    """How many records there are in the history, ticks aside."""
    records = history(system.kafka)
    return sum(".tick." not in r["type"] for one in records.values() for r in one.values())


def _of(system: System, stream: str) -> list[dict[str, str]]:
    records = history(system.kafka)
    return [r for one in records.values() for r in one.values() if r["subject"] == stream]
