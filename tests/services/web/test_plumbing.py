"""What surrounds every request, asked over HTTP."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request

from events.log.port import LogUnavailableError
from services.projections.port import NotYetError
from services.web.bodies import Body, StrictRoute
from services.web.plumbing import HEADERS, Plumbing, client_address
from services.web.problems import Problem, handle_problems
from services.web.requests import bearer, derived_id, idempotency_key

CANARY = "canary-4711"


class Sent(Body):
    word: str
    count: int = 0


router = APIRouter(route_class=StrictRoute)


@router.post("/echo")
async def echo(sent: Sent) -> dict[str, int]:
    return {"length": len(sent.word)}


@router.get("/fails/{how}")
async def fails(how: str) -> None:
    raise {
        "log": LogUnavailableError(CANARY),
        "position": NotYetError(CANARY),
        "problem": Problem(409, "choice-unavailable", "Not any more.", options=["a"]),
        "bug": KeyError(CANARY),
    }[how]


@router.get("/caller")
async def caller(request: Request) -> dict[str, str | None]:
    return {
        "address": client_address(request),
        "bearer": bearer(request),
        "key": idempotency_key(request),
    }


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router)
    handle_problems(app)
    plumbed = Plumbing(app, service="test", trusted_proxies=["127.0.0.0/8"])
    transport = httpx.ASGITransport(plumbed)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_every_answer_has_the_security_headers(http: httpx.AsyncClient) -> None:
    for path in ("/caller", "/nowhere", "/fails/bug"):
        answer = await http.get(path)
        assert HEADERS.items() <= dict(answer.headers).items()
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/fails/log", 503, "unavailable"),
        ("/fails/position", 503, "not-yet"),
        ("/fails/problem", 409, "choice-unavailable"),
        ("/fails/bug", 500, "error"),
        ("/nowhere", 404, "not-found"),
        ("/caller/", 404, "not-found"),
    ],
)
async def test_errors_are_problems_that_tell_nothing_more(
    http: httpx.AsyncClient, path: str, status: int, name: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(f"/{name}")
    assert CANARY not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize(
    "body",
    [
        b'{"word":"canary-4711","other":1}',
        b'{"word":"a","canary-4711":1}',
        b'{"word":"a","word":"canary-4711"}',
        b'{"word":"canary-4711\\u0000"}',
        b'{"word":"canary-4711\\ud800"}',
        b'{"word":"a","count":1.5}',
        b'{"word":"a","count":NaN}',
        b'{"word":4711}',
        b'{"word":"canary-4711"',
        b"[" * 5000,
        b"\xff",
        b"",
    ],
)
async def test_a_body_that_does_not_fit_is_refused_without_an_echo(
    http: httpx.AsyncClient, body: bytes
) -> None:
    answer = await http.post("/echo", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"].endswith("/invalid")
    assert CANARY not in answer.text


async def test_a_body_that_fits_is_taken(http: httpx.AsyncClient) -> None:
    assert (await http.post("/echo", json={"word": "\\u0000é"})).json() == {"length": 7}


async def test_a_large_body_is_refused_unread(http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    for content in (b" " * 10_000_000, chunks()):
        answer = await http.post("/echo", content=content)
        assert answer.status_code == 413


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 127.0.0.2", "203.0.113.7"),
        ("garbage", None),
    ],
)
async def test_a_trusted_proxy_names_the_caller_and_garbage_is_refused(
    http: httpx.AsyncClient, forwarded: str, address: str | None
) -> None:
    answer = await http.get("/caller", headers={"x-forwarded-for": forwarded})
    if address is None:
        assert answer.status_code == 400
    else:
        assert answer.json()["address"] == address


async def test_an_idempotency_key_is_long(http: httpx.AsyncClient) -> None:
    answer = await http.get("/caller", headers={"idempotency-key": "short"})
    assert answer.status_code == 400
    headers = {"idempotency-key": "k" * 22, "authorization": "Bearer " + "t" * 43}
    assert (await http.get("/caller", headers=headers)).json() == {
        "address": "127.0.0.1",
        "bearer": "t" * 43,
        "key": "k" * 22,
    }


def test_the_same_request_has_the_same_id_under_the_same_key_alone() -> None:
    assert derived_id(b"s", "k", "a", "b") == derived_id(b"s", "k", "a", "b")
    others = {
        derived_id(b"s", "k", "a", "b"),
        derived_id(b"s", "k", "ab", ""),
        derived_id(b"t", "k", "a", "b"),
        derived_id(b"s", "l", "a", "b"),
        derived_id(b"s", None, "a", "b"),
        derived_id(b"s", None, "a", "b"),
    }
    assert len(others) == 6
    assert json.dumps(sorted(others)).islower()
