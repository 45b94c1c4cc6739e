"""Somebody who asks for more than their share, or as slowly as they can, to keep others out."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import pytest

from services.demo.people import Somebody
from services.web.connections import Limits
from tests.attacks.flooding import (
    KIB_EACH,
    SILENT,
    SLOW_BODY,
    SLOW_HEAD,
    Dribble,
    abandoned,
    flooding,
    lasts,
)
from tests.attacks.system import Attacked, Recorded, resident_mib, until

FLOODER, ELSEWHERE = "127.0.0.2", "127.0.0.3"
CONNECTIONS = 230
"""More than may wait for a core."""

TIMES_AN_IDLE_LOGIN = 25
"""What a login may take during a flood; on two cores that do all of it, 3 to 9 were measured."""

TIMES_BESIDE_IT = 50
"""The same at the flood's own address, behind its requests; 7 to 12 were measured."""

SLOW: dict[Dribble, int] = {SLOW_HEAD: 300, SLOW_BODY: 50, SILENT: 50}
LIMITS = Limits()
ABANDONED = 5_000
CUT = {why: f'twofold_connections_cut_total{{why="{why}"}}' for why in ("idle", "request")}


@contextmanager
def coming_from(world: Attacked, url: str, *sources: str) -> Iterator[list[Recorded]]:
    """One service, as it is reached from other addresses."""
    with ExitStack() as opened:
        webs = [Recorded(url, world.answers, source) for source in sources]
        for web in webs:
            opened.callback(web.close)
        yield webs


@pytest.mark.row(8, 61)
@pytest.mark.parametrize("with_logins", [True, False], ids=["logins", "pages"])
def test_who_floods_waits_for_itself_and_keeps_nobody_else_out(
    world: Attacked, organisation: str, with_logins: bool
) -> None:
    sam, url = world.join(organisation), world.auths[1].url
    with coming_from(world, url, ELSEWHERE, FLOODER) as (elsewhere, beside):
        device = world.login(sam, web=elsewhere).expect(200).body["device"]

        def login(web: Recorded, device: str | None = None) -> float:
            """Seconds of a login that succeeds."""
            began = time.perf_counter()
            world.login(sam, web=web, device=device).expect(200, outcome="logged_in")
            return time.perf_counter() - began

        idle = statistics.median(login(elsewhere) for _ in range(5))
        with flooding(url, FLOODER, CONNECTIONS, with_logins=with_logins):
            if with_logins:  # Until all places are taken.
                until(lambda: world.login(sam, web=beside).status == 503)
            took = {
                "from another address": [login(elsewhere) for _ in range(7)],
                "from the same, by a known device": [login(beside, device) for _ in range(7)],
            }
        times = {who: statistics.median(times) / idle for who, times in took.items()}
        print({who: f"{ratio:.1f} times an idle login" for who, ratio in times.items()})  # noqa: T201
        assert times["from another address"] < TIMES_AN_IDLE_LOGIN, (idle, took)
        assert times["from the same, by a known device"] < TIMES_BESIDE_IT, (idle, took)


@pytest.mark.row(61)
def test_who_is_slow_is_cut_off_and_others_are_served_meanwhile(
    world: Attacked, organisation: str
) -> None:
    sam, url = world.join(organisation), world.auths[0].url
    before = {why: world.metric(CUT[why]) for why in CUT}
    longest = max(LIMITS.idle_s, LIMITS.request_s)

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*(
            lasts(url, FLOODER, dribble, 2 * longest)
            for dribble, count in SLOW.items()
            for _ in range(count)
        ))  # fmt: skip

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(asyncio.run, all_of_them())
        until(lambda: world.metric("twofold_connections") >= sum(SLOW.values()))
        while not slow.done():
            _served(world, sam)
            with suppress(TimeoutError):
                slow.result(timeout=1)
    assert max(slow.result()) < longest + 5
    assert world.metric("twofold_connections") < 50
    assert world.metric(CUT["idle"]) - before["idle"] >= SLOW[SILENT]
    assert world.metric(CUT["request"]) - before["request"] >= SLOW[SLOW_HEAD] + SLOW[SLOW_BODY]


@pytest.mark.row(61)
def test_who_takes_all_places_loses_them_to_others(world: Attacked, organisation: str) -> None:
    sam, url = world.join(organisation), world.auths[0].url

    async def hold() -> list[float]:
        async with asyncio.TaskGroup() as group:
            held = [
                group.create_task(lasts(url, FLOODER, SLOW_BODY, 3))
                for _ in range(LIMITS.connections + 50)
            ]
            for _ in range(5):
                await asyncio.to_thread(_served, world, sam)
        return [task.result() for task in held]

    held = asyncio.run(hold())
    assert sum(seconds < 3 for seconds in held) >= 50


def _served(world: Attacked, sam: Somebody) -> None:
    with coming_from(world, world.auths[0].url, ELSEWHERE) as (web,):
        world.login(sam, web=web).expect(200, outcome="logged_in")


@pytest.mark.row(61)
def test_requests_that_nobody_waits_for_any_more_take_no_memory(
    world: Attacked, organisation: str
) -> None:
    sam, url, pid = world.join(organisation), world.auths[0].url, world.processes["auth"].pid
    with coming_from(world, url, FLOODER) as (beside,):
        login = beside.post("/api/login/start", {"username": "nobody.at.all"}).body["login"]
        before = resident_mib(pid)
        asyncio.run(abandoned(url, FLOODER, login, ABANDONED))
        world.login(sam, web=beside).expect(200, outcome="logged_in")
    assert resident_mib(pid) < before + ABANDONED * KIB_EACH / 1024 / 2, before
