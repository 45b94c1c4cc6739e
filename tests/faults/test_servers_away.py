"""Kafka or PostgreSQL stopped, killed or frozen: refusals, and recovery without a restart."""

import signal
import time

import httpx
import pytest

from infra.local.process_ids import Identity, signal_process, tree
from services.demo.behaviours import NO_THANKS
from services.demo.flows import World
from services.demo.people import Somebody
from services.demo.world import NotShownError, wait_until
from tests.faults.system import BACK_WITHIN_S, System, Tell, the_same_processes

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def organisation_id(world: World) -> str:
    return world.organisation("Deserted Estates")


class TestServersAway:
    """Every decision is a refusal, never an opening; each recovers by itself."""

    @pytest.mark.parametrize("server", ["kafka", "postgres"])
    @pytest.mark.parametrize("how", ["stopped", "killed", "frozen"])
    def test_refusals_and_recovery(
        self, system: System, world: World, organisation_id: str, tell: Tell, server: str, how: str
    ) -> None:
        sam = world.join(organisation_id)
        session = world.logged_in(sam).body["session"]
        ticket = world.ask_for_link(sam)
        signals = {"stopped": signal.SIGTERM, "killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
        number = signal.SIGINT if (server, how) == ("postgres", "stopped") else signals[how]
        pid = system.pid(server)
        with the_same_processes(system):
            # What would start a server again waits as well, so that it stays away for long enough.
            signal_process(system.process.pid, signal.SIGSTOP)
            try:
                _send(pid, number)
                if how != "frozen":
                    wait_until("its end", lambda: Identity.of(pid) is None or None)
                answers = _while_away(world, sam, session, ticket, database=server == "kafka")
            finally:
                if how == "frozen":
                    _send(pid, signal.SIGCONT)
                signal_process(system.process.pid, signal.SIGCONT)
            began = time.monotonic()
            wait_until("a login again", lambda: _again(world, sam), BACK_WITHIN_S)
            back = time.monotonic() - began
        world.auth.get("/api/session", session).expect(200)
        change = world.open(ticket).expect(200).body["change"]
        world.finish(sam, change, NO_THANKS).expect(200)
        world.logged_in(sam)
        tell(f"{server} {how}", ", ".join(sorted(answers)), f"back {back:.1f} s later")


def _send(pid: int, number: signal.Signals) -> None:
    """To a server, and to what PostgreSQL's answers with."""
    family = tree(pid) if number in {signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL} else [pid]
    for one in family:
        signal_process(one, number)


def _while_away(
    world: World, sam: Somebody, session: str, ticket: str, *, database: bool
) -> set[str]:
    """
    What a login, a guess, a session and a link get.

    The last two decide nothing: with the *database* there, what is folded may answer them.
    """
    read = {200, 503} if database else {503}
    found: set[str] = set()
    start = world.auth.post("/api/login/start", {"username": sam.username}).expect(200)
    for password in (sam.password, "wrong-wrong-wrong-1"):
        body = {"login": start.body["login"], "password": password}
        answer = world.auth.post("/api/login/finish", body)
        answer.expect(503)
        assert answer.problem in {"unavailable", "not-done", "outcome-unknown"}
        assert int(answer.headers["Retry-After"]) >= 1
        found.add(f"login {answer.status} {answer.problem}")
    answer = world.auth.get("/api/session", session)
    assert answer.status in read
    found.add(f"session {answer.status}")
    answer = world.open(ticket)
    assert answer.status in read
    found.add(f"link {answer.status}")
    return found


def _again(world: World, sam: Somebody) -> bool | None:
    try:
        answer = world.login(sam)
    except (httpx.HTTPError, NotShownError):
        return None
    assert answer.status in {200, 503}, answer.body
    return answer.status == 200 or None
