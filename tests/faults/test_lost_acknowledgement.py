"""
What a server learns of its own record when the network between it and Kafka fails.

One auth process reaches Kafka through a proxy; the others don't. The broker's clock can't be moved
here (it is the machine's), so that append times out of order are shown by the acceptance rule's own
tests alone.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from infra.local.processes import Process
from services.demo.behaviours import SETUP_NEW
from services.demo.flows import World
from services.demo.people import Somebody
from services.demo.world import Answer, Web, wait_until
from tests.faults.dumping import aside, fates_of
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.system import System

pytestmark = [pytest.mark.faults, pytest.mark.slow]

DEADLINE_S = 10.0
Tell = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Behind:
    """An auth process behind the proxy."""

    proxy: Proxy
    process: Process
    url: str

    def log_in(self, who: Somebody, code: str | None, key: str = "") -> Answer:
        """Both screens, through a client of its own."""
        web = Web(self.url)
        try:
            start = web.post("/api/login/start", {"username": who.username}).expect(200)
            body = {"login": start.body["login"], "password": who.password}
            if code:
                body["code"] = code
            return web.post("/api/login/finish", body, key=key or None)
        finally:
            web.close()

    @contextmanager
    def logging_in(self, who: Somebody, code: str | None) -> Iterator["Future[Answer]"]:
        """A login that is under way in here."""
        with ThreadPoolExecutor(1) as pool:
            yield pool.submit(self.log_in, who, code)


@pytest.fixture(scope="module")
def behind(system: System) -> Iterator[Behind]:
    with proxy_to(system.kafka) as proxy:
        process, url = system.another("auth", TWOFOLD_KAFKA=proxy.address)
        yield Behind(proxy, process, url)
        process.stop()


@pytest.fixture
def eve(world: World) -> Somebody:
    return world.join(world.organisation("Cut Off Estates"), choice=SETUP_NEW)


@pytest.fixture(autouse=True)
def passing(behind: Behind) -> Iterator[None]:
    yield
    behind.proxy.release()
    web = Web(behind.url)
    wait_until("Kafka again", lambda: web.get("/health/ready").status == 200 or None, 30)
    web.close()


@pytest.mark.parametrize("mode", ["lose_acknowledgement", "cut_at_acknowledgement"])
def test_the_verdict_comes_from_the_log(
    behind: Behind, world: World, eve: Somebody, tell: Tell, mode: str
) -> None:
    world.log.mark()
    behind.proxy.interfere(mode, eve.codes)  # type: ignore[arg-type]
    began = time.monotonic()
    answer = behind.log_in(eve, eve.app.code()).expect(200, outcome="logged_in")
    seconds = time.monotonic() - began
    assert behind.proxy.caught >= 1
    record = world.log.expect(eve.codes, "login_attempted", outcome="succeeded")
    partition, offset = record["_place"]
    tell(mode.replace("_", " "), "200 logged_in", f"{seconds:.1f} s, from the log")
    assert answer.body["position"].endswith(f":{partition}:{offset}")
    assert len({record["id"] for record in _succeeded(world, eve)}) == 1
    world.auth.get("/api/session", answer.body["session"]).expect(200)


def test_what_never_arrived_is_not_done_once_that_is_certain(
    behind: Behind, world: World, eve: Somebody, tell: Tell
) -> None:
    """Ticks move the partition's time past the deadline: then it can never count."""
    code = eve.app.lasting_code()
    world.log.mark()
    behind.proxy.interfere("lose_request", eve.codes)
    began = time.monotonic()
    answer = behind.log_in(eve, code).expect(503, "not-done")
    seconds = time.monotonic() - began
    assert seconds >= DEADLINE_S
    world.log.poll(1)
    ticks = [r for r in world.log.records[world.log.marked :] if ".tick." in r.get("type", "")]
    tell(
        "lose request", f"{answer.status} {answer.problem}", f"{seconds:.1f} s, {len(ticks)} ticks"
    )
    assert ticks
    world.log.expect_none(eve.codes, "login_attempted")
    behind.proxy.release()
    world.login(eve, code=code).expect(200, outcome="logged_in")
    tell("the same code, afterwards", "200 logged_in", "nothing was burned")


def test_an_old_decision_is_superseded_when_its_process_wakes(
    system: System, behind: Behind, world: World, eve: Somebody, tell: Tell
) -> None:
    """Stopped between deciding and appending, while another server accepts the same code."""
    code = eve.app.lasting_code()
    with _asleep(behind, world, eve, code) as login:
        world.login(eve, code=code).expect(200, outcome="logged_in")
    answer = login.result(30)
    tell("woken with a decision that another overtook", _said(answer), "superseded, decided again")
    answer.expect(401, "invalid-credentials")
    wait_until("both records", lambda: len(_succeeded(world, eve)) == 2 or None)
    fates = aside(fates_of(system.database, [r["_place"] for r in _succeeded(world, eve)]))
    assert fates == ["counted", "superseded"]


def test_an_old_decision_is_expired_when_its_process_wakes_late(
    system: System, behind: Behind, world: World, eve: Somebody, tell: Tell
) -> None:
    code = eve.app.lasting_code()
    with _asleep(behind, world, eve, code) as login:
        threading.Event().wait(DEADLINE_S + 1)
    answer = login.result(30)
    tell("woken after its deadline", _said(answer), "expired")
    answer.expect(503, "not-done")
    record = world.log.expect(eve.codes, "login_attempted", outcome="succeeded")
    assert aside(fates_of(system.database, [record["_place"]])) == ["expired"]
    world.login(eve, code=eve.app.code()).expect(200, outcome="logged_in")


@contextmanager
def _asleep(behind: Behind, world: World, eve: Somebody, code: str) -> Iterator["Future[Answer]"]:
    """
    A login whose process is frozen in here with its decision made, and not yet in the log.

    Where exactly a process stops can't be chosen from outside; its record is therefore held back
    on its way to the broker, and set free as it wakes.
    """
    world.log.mark()
    behind.proxy.interfere("hold", eve.codes)
    with behind.logging_in(eve, code) as login:
        wait_until("its record", lambda: behind.proxy.caught or None)
        behind.process.pause()
        try:
            world.log.expect_none(eve.codes, "login_attempted")
            yield login
        finally:
            behind.proxy.release()
            behind.process.resume()


def _succeeded(world: World, eve: Somebody) -> list[dict[str, Any]]:
    """Records since the mark that say that somebody logged in, counted or not."""
    world.log.poll()
    found = world.log.new(eve.codes, "login_attempted")
    return [record for record in found if record["data"]["outcome"] == "succeeded"]


def _said(answer: Answer) -> str:
    return f"{answer.status} {answer.problem or answer.body.get('outcome')}"
