"""An insider with every key, who alters the history; and readers who remember what it was."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from events import envelope
from events.acceptance import PartitionState, judge
from events.records import Fate, HaltError, Record
from services.demo.flows import accepted
from tests.attacks.system import SETUP_NEW, Attacked, until


@dataclass(frozen=True, slots=True)
class Kept:
    """What a reader remembers of a partition; and the records that stood there."""

    keys: Mapping[str, bytes]
    records: list[Record]
    running: str

    def is_told_from(self, records: list[Record]) -> bool:
        """Whether a reader who remembers this sees that *records* are others."""
        if len(records) < len(self.records):
            return True
        state = PartitionState(0)
        try:
            for record in records[: len(self.records)]:
                judge(state, record, self.keys)
        except HaltError:
            return True
        return state.running != self.running


@pytest.fixture(scope="module")
def kept(world: Attacked) -> Kept:
    """Give a history in which something happened."""
    eve = world.join(world.organisation("Witnessed Estates"), choice=SETUP_NEW)
    accepted(world.operator.send("disable_two_factor", world.about(eve)))
    world.logged_in(eve)
    records, state = _history(world), PartitionState(0)
    for record in records:
        judge(state, record, world.ring.mac.keys)
    return Kept(world.ring.mac.keys, records, state.running)


def _history(world: Attacked) -> list[Record]:
    found = [m for m in world.records("twofold.events") if m.partition == 0]
    return [Record(m.offset, m.at, m.value) for m in found]


def _moved(records: list[Record]) -> list[Record]:
    """With dense offsets again."""
    return [replace(record, offset=at) for at, record in enumerate(records)]


def _flip(records: list[Record]) -> list[Record]:
    middle = len(records) // 2
    value = bytearray(records[middle].value or b"x")
    value[len(value) // 2] ^= 1
    return [*records[:middle], replace(records[middle], value=bytes(value)), *records[middle + 1 :]]


def _swap(records: list[Record]) -> list[Record]:
    middle = len(records) // 2
    first, second = records[middle : middle + 2]
    return _moved([*records[:middle], second, first, *records[middle + 2 :]])


ALTERATIONS: dict[str, Callable[[list[Record]], list[Record]]] = {
    "flip": _flip,
    "drop": lambda records: _moved([*records[:3], *records[4:]]),
    "drop, leaving the hole": lambda records: [*records[:3], *records[4:]],
    "swap": _swap,
    "insert": lambda records: _moved([*records[:3], records[2], *records[3:]]),
    "truncate": lambda records: records[:-1],
    "another time": lambda records: [
        *records[:-1],
        replace(records[-1], append_time_ms=records[-1].append_time_ms + 1),
    ],
    "a tombstone": lambda records: [*records[:3], replace(records[3], value=None), *records[4:]],
}


@pytest.mark.row(51)
@pytest.mark.parametrize("how", ALTERATIONS)
def test_every_alteration_is_seen_by_whoever_remembers_the_running_digest(
    kept: Kept, how: str
) -> None:
    assert not kept.is_told_from(kept.records)
    assert kept.is_told_from(ALTERATIONS[how](kept.records))


@pytest.mark.row(51)
def test_a_history_rewritten_under_the_writers_own_key_is_another(kept: Kept) -> None:
    key_id = next(iter(kept.keys))
    at, last = next((n, r) for n, r in reversed(list(enumerate(kept.records))) if _counts(kept, n))
    read = envelope.read(last.value or b"")
    earlier = replace(read, time=read.time - timedelta(hours=1))
    other = replace(last, value=envelope.seal(earlier, key_id, kept.keys[key_id]))
    rewritten = [*kept.records[:at], other, *kept.records[at + 1 :]]
    assert _counts(replace(kept, records=rewritten), at)  # By itself it is flawless.
    assert kept.is_told_from(rewritten)


@pytest.mark.row(52)
def test_the_chain_still_verifies_after_an_erasure(world: Attacked, kept: Kept) -> None:
    somebody = world.join(world.organisation("Forgetful Estates"), choice=SETUP_NEW)
    owner = somebody.staff_id.encode()
    owned = {m.key for m in world.records("twofold.vault") if owner in (m.value or b"")}
    assert len(owned) >= 3  # A password, an authenticator, the key of what is personal.
    accepted(world.operator.send("forget_staff", world.about(somebody)))

    def forgotten() -> bool:
        gone = {m.key for m in world.records("twofold.vault") if m.value is None}
        return owned <= gone

    until(forgotten, 60)
    assert not kept.is_told_from(_history(world))
    assert world.projections.send("GET", "/health/ready").status_code == 200


def _counts(kept: Kept, at: int) -> bool:
    state, fate = PartitionState(0), Fate.COUNTED
    for record in kept.records[: at + 1]:
        fate = judge(state, record, kept.keys).fate
    return fate is Fate.COUNTED
