"""Kafka or PostgreSQL away: refusals, never openings; and recovery without a restart."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from events.log.port import LogUnavailableError
from events.vault.port import VaultUnavailableError
from tests.services.auth.stage import Stage
from tests.services.auth.stages import real_stage
from tests.services.auth.web_client import Answer, Somebody, Web
from tests.stack import TestStack, local_stack

pytestmark = [pytest.mark.faults, pytest.mark.slow]

BACK_S = 40.0


@pytest.fixture(scope="module")
def own() -> Iterator[TestStack]:
    """Give servers that nobody else uses, to be stopped."""
    with local_stack(lambda _: None) as started:
        yield started


@pytest.fixture(scope="module")
async def on_own(own: TestStack) -> AsyncIterator[Stage]:
    """Give the service on them."""
    async with real_stage(own.kafka, own.database) as made:
        yield made


async def _stop(server: object) -> None:
    await asyncio.to_thread(server.stop)  # type: ignore[attr-defined]


async def _start(server: object) -> None:
    await asyncio.to_thread(server.start)  # type: ignore[attr-defined]


async def _until_logged_in(web: Web, who: Somebody) -> Answer:
    end = time.monotonic() + BACK_S
    while True:
        answer = await web.login(who)
        if answer.status == 200 or time.monotonic() > end:
            return answer
        assert answer.status == 503, answer.body
        await asyncio.sleep(0.2)  # As a client would that is told to try again.


def _is_refusal(answer: Answer) -> None:
    assert answer.status == 503, answer.body
    assert answer.problem in {"unavailable", "not-done", "outcome-unknown"}
    assert int(answer.headers["retry-after"]) >= 1
    assert set(answer.body) == {"type", "title", "status"}


async def test_kafka_away(own: TestStack, on_own: Stage) -> None:
    stage, web = on_own, on_own.open()
    sam = await stage.person(await stage.organisation())
    session = (await web.login(sam)).body["session"]
    link = await stage.link(sam)
    before = len(await stage.facts(sam.codes))
    await _stop(own.kafka_server)
    try:
        (await web.post("/api/login/start", {"username": sam.username})).expect(200)
        answers = await asyncio.gather(
            web.login(sam), web.login(sam, "wrong"), web.login("nobody", "x"),
            web.post("/api/logout", token=session),
        )  # fmt: skip
        for answer in answers:
            _is_refusal(answer)
        # What needs no decision still works: who it is, and what a link leads to.
        (await web.get("/api/session", token=session)).expect(200)
        opened = await web.open(link)
        _is_refusal(await web.finish(opened.expect(200).body["change"], "no_thanks"))
    finally:
        await _start(own.kafka_server)
    (await _until_logged_in(web, sam)).expect(200, outcome="logged_in")
    outcomes = [fact.outcome for fact in await stage.facts(sam.codes)]
    assert outcomes.count("succeeded") <= before + 2
    assert "wrong_password" not in outcomes


async def _somebody_once_kafka_is_back(stage: Stage) -> Somebody:
    """The test before stopped Kafka; each client finds out for itself when it is back."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await stage.person(await stage.organisation())
            except (VaultUnavailableError, LogUnavailableError):
                await asyncio.sleep(0.1)


async def test_postgresql_away(own: TestStack, on_own: Stage) -> None:
    stage, web = on_own, on_own.open()
    sam = await _somebody_once_kafka_is_back(stage)
    session = (await web.login(sam)).body["session"]
    await _stop(own.postgres_server)
    try:
        (await web.post("/api/login/start", {"username": sam.username})).expect(200)
        for answer in await asyncio.gather(
            web.login(sam), web.login("nobody", "x"), web.get("/api/session", token=session),
            web.open("x" * 43),
        ):  # fmt: skip
            _is_refusal(answer)
        reset = await web.post("/api/password-resets", {"username": sam.username})
        reset.expect(202)
    finally:
        await _start(own.postgres_server)
    (await _until_logged_in(web, sam)).expect(200, outcome="logged_in")
