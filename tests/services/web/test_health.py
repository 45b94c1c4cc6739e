"""What is told about a service: little to everybody, more to whoever runs it."""

from collections.abc import Sequence

import httpx
import pytest
from fastapi import FastAPI

from services.web.health import Check, health, inside


async def ready() -> None:
    return None


async def away() -> None:
    raise ConnectionError("10.0.0.7:5432 doesn't answer")


async def warned() -> Sequence[str]:
    return ["Commands of partition 1 wait."]


async def asked(app: FastAPI, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


def outside(check: Check) -> FastAPI:
    app = FastAPI()
    app.include_router(health(check))
    return app


@pytest.mark.parametrize(
    ("check", "status", "told", "more"),
    [
        (ready, 200, {"status": "ready"}, {}),
        (away, 503, {"status": "not ready"}, {"why": "ConnectionError"}),
        (warned, 200, {"status": "ready"}, {"warnings": ["Commands of partition 1 wait."]}),
    ],
)
async def test_everybody_is_told_whether_and_operators_why(
    check: Check, status: int, told: dict[str, object], more: dict[str, object]
) -> None:
    for app, answer in ((outside(check), told), (inside(check, service="test"), told | more)):
        response = await asked(app, "/health/ready")
        assert (response.status_code, response.json()) == (status, answer)
        assert (await asked(app, "/health/live")).json() == {"status": "live"}


async def test_metrics_are_told_inside_alone() -> None:
    assert (await asked(outside(ready), "/metrics")).status_code == 404
    assert "python_info" in (await asked(inside(ready, service="test"), "/metrics")).text
