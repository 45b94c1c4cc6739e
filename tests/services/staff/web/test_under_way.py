"""So many commands of one party are under way at once; its others wait, and nobody else's do."""

import asyncio
from collections.abc import Collection

import pytest

from services.staff.web import under_way
from services.staff.web.under_way import UnderWay
from services.web.problems import Problem


class History:
    """What became of commands, so far."""

    def __init__(self) -> None:
        self.decided: set[str] = set()
        self.asked = 0

    async def of(self, command_ids: Collection[str]) -> Collection[str]:
        self.asked += 1
        return self.decided.intersection(command_ids)


@pytest.fixture
def history() -> History:
    """Give a history in which nothing is decided yet."""
    return History()


async def fill(line: UnderWay, party: str = "acme") -> None:
    for command_id in ("a", "b"):
        await line.enter(party, command_id)


async def test_the_next_waits_until_one_is_decided(history: History) -> None:
    line = UnderWay(history.of, most=2)
    await fill(line)
    assert history.asked == 0
    waiting = asyncio.create_task(line.enter("acme", "c"))
    while not history.asked:
        await asyncio.sleep(0)
    assert not waiting.done()
    await line.enter("other", "d")
    await line.enter("acme", "a")  # Sent again, it is no other.
    history.decided.add("b")
    await waiting


async def test_one_that_finds_no_place_is_refused(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "PATIENCE_S", 0.1)
    line = UnderWay(history.of, most=2)
    await fill(line)
    refused = await asyncio.gather(
        *(line.enter("acme", name) for name in "cd"), return_exceptions=True
    )
    assert [(one.status, one.name) for one in refused if isinstance(one, Problem)] == [
        (503, "busy"),
        (503, "busy"),
    ]


async def test_what_was_not_published_takes_no_place(history: History) -> None:
    line = UnderWay(history.of, most=2)
    await fill(line)
    line.leave("acme", "a")
    line.leave("nobody", "a")
    await line.enter("acme", "c")
    assert history.asked == 0


async def test_what_is_never_decided_gives_its_place_up(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set aside, it has no outcome."""
    line = UnderWay(history.of, most=2)
    await fill(line)
    monkeypatch.setattr(under_way, "GIVEN_UP_AFTER_S", 0)
    await line.enter("acme", "c")


async def test_parties_of_long_ago_are_forgotten(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "_LINES", 2)
    line = UnderWay(history.of, most=2)
    for party in ("a", "b", "c"):
        await fill(line, party)
    monkeypatch.setattr(under_way, "GIVEN_UP_AFTER_S", 0)
    await line.enter("d", "x")
    assert len(line._lines) == 1
