"""Replaying the history from the log alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from events import keys, streams
from events.acceptance import Judged
from events.facts import Draft
from events.log.proposal import Signer
from events.moments import from_milliseconds
from events.records import Fate
from events.staff import LoggedOut, TwoFactorDisabled
from services.audit.history import AuditError
from services.audit.replay import Replay, Wanted, line
from tests.services.projections.worlds import PARTITIONS, World, make_world

DECLINED = TwoFactorDisabled(cause="declined")


@pytest.fixture(scope="module")
async def world(kafka: str, database: str) -> AsyncIterator[World]:
    async with make_world(kafka, database) as made, made.folding():
        yield made


@pytest.fixture(scope="module")
async def history(world: World) -> tuple[str, str, str]:
    """Two people in one organisation, one in another, and records that don't count."""
    own, other = await world.organisation(), await world.organisation()
    one, two, _ = (
        await world.person(own),
        await world.person(own),
        await world.person(other),
    )
    stale = world.proposal(Draft(streams.account(own, one), DECLINED), heads={})
    partition = world.partition(own) or 0
    now = datetime.now(UTC)
    forger = Signer("twofold/auth", "k1", keys.generate().mac.key, PARTITIONS)
    for value in (
        world.signer.batch(stale, now).values[0],
        forger.batch(stale, now).values[0],
        b"no record at all",
    ):
        await world.log.append(partition, [value])
    await world.write(
        Draft(streams.session(own, str(uuid4())), LoggedOut(staff_id=one)),
    )
    return own, one, two


def replay(world: World, **wanted: object) -> list[Judged]:
    reading = Replay(world.kafka, world.ring, topic=world.events)
    return [judged for _, judged in reading.run(Wanted(**wanted))]  # type: ignore[arg-type]


def types(found: list[Judged]) -> list[str]:
    return [judged.envelope.type.split(".")[1] for judged in found if judged.envelope]


def test_everything_that_counted_is_shown_in_time_order(
    world: World, history: tuple[str, str, str]
) -> None:
    found = replay(world)
    assert {judged.fate for judged in found} == {Fate.COUNTED}
    assert types(found)[:2] == ["genesis"] * PARTITIONS
    times = [judged.record.append_time_ms for judged in found]
    assert times == sorted(times)


def test_by_organisation(world: World, history: tuple[str, str, str]) -> None:
    found = replay(world, organisation=history[0])
    assert types(found) == [
        "organisation_registered",
        "staff_registered",
        "staff_registered",
        "logged_out",
    ]


def test_by_person(world: World, history: tuple[str, str, str]) -> None:
    """A session's stream doesn't name its person; its facts do."""
    assert types(replay(world, person=history[1])) == ["staff_registered", "logged_out"]
    assert types(replay(world, person=history[2])) == ["staff_registered"]


@pytest.mark.parametrize("name", ["logged_out", "twofold.logged_out", "twofold.logged_out.v1"])
def test_by_type(world: World, history: tuple[str, str, str], name: str) -> None:
    assert types(replay(world, types=[name])) == ["logged_out"]


def test_a_type_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(AuditError):
        Wanted(types=["Logged Out"])


def test_by_time(world: World, history: tuple[str, str, str]) -> None:
    last = replay(world, organisation=history[0])[-1]
    at = from_milliseconds(last.record.append_time_ms)
    assert replay(world, organisation=history[0], since=at)[-1] == last
    assert last not in replay(world, until=at)
    assert replay(world, since=at + timedelta(milliseconds=1)) == []


def test_all_fates(world: World, history: tuple[str, str, str]) -> None:
    fates = [judged.fate for judged in replay(world, all_fates=True)]
    assert [fate for fate in fates if fate is not Fate.COUNTED] == [
        Fate.SUPERSEDED,
        Fate.FORGED,
        Fate.MALFORMED,
    ]


def test_of_what_is_quarantined_nothing_is_told_but_why(
    world: World, history: tuple[str, str, str]
) -> None:
    for judged in replay(world, all_fates=True):
        told = line(0, judged)
        if judged.fate in {Fate.FORGED, Fate.MALFORMED}:
            assert told["complaint"]
            assert "data" not in told


def test_another_installations_keys_stop_it_at_the_start(
    world: World, history: tuple[str, str, str]
) -> None:
    reading = Replay(world.kafka, keys.generate(), topic=world.events)
    with pytest.raises(AuditError, match="genesis"):
        list(reading.run(Wanted()))


def test_a_topic_that_isnt_there_is_one_sentence(world: World) -> None:
    with pytest.raises(AuditError, match="twofold topics create"):
        Replay(world.kafka, world.ring, topic="twofold.nowhere")


def test_the_reader_is_told_how_far_it_is(world: World, history: tuple[str, str, str]) -> None:
    reading = Replay(world.kafka, world.ring, topic=world.events)
    advanced: list[int] = []
    list(reading.run(Wanted(), advanced.append))
    assert sum(advanced) == reading.length > 0
