"""The calls' shapes: what doesn't fit is refused, tells nothing, and changes nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from events.log.port import AppendUnknownError, LogUnavailableError
from events.log.writer import NotDoneError, OutcomeUnknownError
from services.auth.ports import BusyError
from services.auth.web.problems import problem
from services.web.problems import for_error
from tests.services.auth.stage import Stage
from tests.services.auth.stages import memory_stage
from tests.services.auth.web_client import GOOD, Web

CANARY = "canary-4711"
POSTS = [
    "login/start", "login/finish", "password-resets", "password-changes/open",
    "password-changes/authenticator", "password-changes/finish", "step-up", "logout",
]  # fmt: skip


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Web]:
    """Give one service for all that is refused before anything is looked at."""
    async with memory_stage() as made:
        yield made.open()


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [
        {"unknown": CANARY},
        [CANARY],
        b'{"username": "a", "username": "b"}',
        b'{"username": "a\\u0000b"}',
        b'{"username": 1.5}',
        b'{"username": NaN}',
        b'{"username": "\\ud800"}',
        b"\xff\xfe",
        b"{" * 5000,
        {"username": 7, "login": 7, "ticket": 7, "change": 7, "password": 7, "everywhere": "no"},
        {"username": "", "login": "", "ticket": "", "change": "", "password": "", "code": "x" * 65},
    ],
    ids=str,
)
async def test_what_does_not_fit_is_422_and_not_repeated(shared: Web, path: str, body: Any) -> None:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await shared.post(f"/api/{path}", sent)
    assert (answer.status, answer.problem) == (422, "invalid")
    assert CANARY not in answer.content.decode()
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", POSTS)
async def test_a_large_body_is_413(shared: Web, path: str) -> None:
    body = b'{"username": "' + b"x" * 10_000_000 + b'"}'
    assert (await shared.post(f"/api/{path}", body)).status == 413


async def test_a_get_changes_nothing_and_is_405(web: Web) -> None:
    for path in POSTS:
        answer = await web.get(f"/api/{path}")
        assert (answer.status, answer.problem) == (405, "method-not-allowed")
    assert (await web.get("/api/no-such-call")).problem == "not-found"


async def test_an_idempotency_key_is_nobody_elses(stage: Stage, web: Web) -> None:
    sam = await stage.person(await stage.organisation())
    (await web.login(sam, key="short")).expect(400, "bad-request")


async def test_every_answer_says_that_it_is_not_to_be_kept(stage: Stage, web: Web) -> None:
    sam = await stage.person(await stage.organisation())
    change = (await web.open(await stage.link(sam))).body["change"]
    for answer in (
        await web.show(change), await web.login(sam), await web.login(sam, "wrong"),
        await web.get("/nothing"), await web.post("/api/login/start", {}),
    ):  # fmt: skip
        assert answer.headers["cache-control"] == "no-store"


async def test_the_authenticator_is_shown_as_link_text_and_picture(stage: Stage, web: Web) -> None:
    sam = await stage.person(await stage.organisation())
    change = (await web.open(await stage.link(sam))).body["change"]
    shown = (await web.show(change)).expect(200).body
    secret = shown["secret"].replace(" ", "")
    assert len(stage.seed_of(secret)) == 20
    assert f"secret={secret}" in shown["otpauth_uri"]
    assert shown["otpauth_uri"].startswith(f"otpauth://totp/agentOS:{sam.username}?")
    assert shown["qr_svg"].startswith("<svg")
    assert "<script" not in shown["qr_svg"]
    again = (await web.show(change)).expect(200).body
    assert again["secret"] != shown["secret"]


async def test_passwords_are_refused_with_a_reason(stage: Stage, web: Web) -> None:
    sam = await stage.person(await stage.organisation())
    change = (await web.open(await stage.link(sam))).body["change"]
    for password in (
        "short", "passwordpassword", f"{sam.username}{sam.username}", "Sam Smith Lettings", GOOD,
        "x" * 200,
    ):  # fmt: skip
        answer = await web.finish(change, "no_thanks", password)
        answer.expect(422, "password-refused")
        assert answer.body["reason"]
        assert password not in answer.content.decode()
    assert len(await stage.facts(sam.account)) == 2


async def test_a_step_up_without_2fa_is_refused(stage: Stage, web: Web) -> None:
    sam = await stage.person(await stage.organisation())
    token = (await web.login(sam)).body["session"]
    answer = await web.post("/api/step-up", {"password": GOOD, "code": "123456"}, token=token)
    answer.expect(403, "step-up-unavailable")


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (NotDoneError(CANARY), "not-done"),
        (OutcomeUnknownError(CANARY), "outcome-unknown"),
        (LogUnavailableError(CANARY), "unavailable"),
        (AppendUnknownError(CANARY), "unavailable"),
        (BusyError(CANARY), "busy"),
    ],
)
def test_what_cannot_be_decided_now_is_503(error: Exception, name: str) -> None:
    answer = for_error(error) or problem(error, "/api/login/finish")
    assert (answer.status, answer.name) == (503, name)
    assert answer.headers["Retry-After"]


async def test_the_description_tells_every_call(web: Web) -> None:
    found = (await web.get("/openapi.json")).body
    assert found["openapi"].startswith("3.1")
    calls = {f"/api/{path}" for path in (*POSTS, "session")}
    assert set(found["paths"]) == calls
    finish = found["paths"]["/api/login/finish"]["post"]["responses"]
    assert {"200", "401", "410", "422", "429", "503"} <= set(finish)
