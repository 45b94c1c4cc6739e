"""One code, sent many times at once to two auth processes: one success, whoever races."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from services.demo.behaviours import SETUP_NEW
from services.demo.flows import World
from services.demo.people import Somebody
from tests.faults.dumping import aside, fates_of
from tests.faults.system import System

pytestmark = [pytest.mark.faults, pytest.mark.slow]

AT_ONCE = 50
REPETITIONS = 10


async def test_of_fifty_one_succeeds_ten_times_over(
    system: System, world: World, tell: Callable[..., None]
) -> None:
    """RFC 6238 §5.2: a code is accepted at most once, on any server."""
    process, second = system.another("auth")
    urls = (world.auth.url, second)
    organisation_id = world.organisation("Raced Estates")
    people = [world.join(organisation_id, choice=SETUP_NEW) for _ in range(REPETITIONS)]
    tell("repetition", "answers to 50 at once, two servers", "seconds", widths=(12, 60))
    for number, eve in enumerate(people, 1):
        code = eve.app.lasting_code()
        began = time.monotonic()
        answers = await _at_once(urls, eve, code)
        seconds = time.monotonic() - began
        tell(number, dict(sorted(answers.items())), f"{seconds:.1f}", widths=(12, 60))
        assert answers["200 logged_in"] == 1
        assert sum(answers.values()) == AT_ONCE
        assert set(answers) <= {
            "200 logged_in", "401 invalid-credentials", "429 too-many-attempts", "503 not-done"
        }  # fmt: skip
    process.stop()
    world.log.catch_up()
    tried = [r for r in world.log.records if r.get("data", {}).get("outcome") == "succeeded"]
    fates = await asyncio.to_thread(_fates, system, [r["_place"] for r in tried])
    counted = [r["subject"] for r, fate in zip(tried, fates, strict=True) if fate == "counted"]
    assert sorted(counted) == sorted(eve.codes for eve in people)


def _fates(system: System, places: list[tuple[int, int]]) -> list[str]:
    return [aside(fates_of(system.database, [place]))[0] for place in places]


async def _at_once(urls: tuple[str, str], eve: Somebody, code: str) -> Counter[str]:
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as client:
        started = await client.post(f"{urls[0]}/api/login/start", json={"username": eve.username})
        login = started.json()["login"]

        async def one(number: int) -> str:
            answer = await client.post(
                f"{urls[number % 2]}/api/login/finish",
                json={"login": login, "password": eve.password, "code": code},
                headers={"Idempotency-Key": f"another-key-of-its-own-{number:04}"},
            )
            body = answer.json()
            name = body.get("outcome") or str(body.get("type", "")).rpartition("/")[2]
            return f"{answer.status_code} {name}"

        return Counter(await asyncio.gather(*(one(number) for number in range(AT_ONCE))))
