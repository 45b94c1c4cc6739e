"""The staff service's HTTP side over one office, with sessions whose tokens tests know."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from events.person import Person
from events.staff import SessionStarted
from services.staff.web.app import build
from services.staff.web.ground import Ground
from services.web.plumbing import Plumbing
from tests.services.projections.worlds import until
from tests.services.staff.office import AUDIENCE, Office, now


class Api:
    """The API of one office, with sessions whose tokens tests know."""

    def __init__(self, office: Office, http: httpx.AsyncClient) -> None:
        self.office, self.http = office, http
        self.shift = timedelta(0)

    async def get(self, path: str, token: str | None = None) -> httpx.Response:
        return await self.http.get(path, headers=bearer(token))

    async def command(
        self, token: str | None, name: str, data: dict[str, Any], key: str | None = None
    ) -> httpx.Response:
        headers = bearer(token) | ({"idempotency-key": key} if key else {})
        body = {"type": name, "data": data}
        return await self.http.post("/api/commands", json=body, headers=headers)

    async def outcome(self, token: str, command_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}

        async def known() -> bool:
            answer.update((await self.get(f"/api/commands/{command_id}", token)).json())
            return bool(answer["outcome"] != "pending")

        await until(known)
        return answer

    async def session(self, person: Person, time_step: int = 100) -> tuple[str, SessionStarted]:
        """A session made with both factors just now, and its token."""
        token = "tfs_" + uuid4().hex
        session = await self.office.log_in(person, time_step, token)
        return token, session


def bearer(token: str | None) -> dict[str, str]:
    """The header of a session or an API key; none without one."""
    return {"authorization": f"Bearer {token}"} if token else {}


@pytest.fixture(scope="module")
async def api(busy: Office) -> AsyncIterator[Api]:
    """Give the API, with commands dealt with behind it."""

    async def ready() -> None:
        await busy.world.queries.organisations(1)

    made: list[Api] = []
    ground = Ground(
        loads=busy.world.loads,
        queries=busy.world.queries,
        vault=busy.world.vault,
        ring=busy.world.ring,
        publishers=busy.publishers,
        outbox=busy.outbox,
        home=busy.home,
        audience=AUDIENCE,
        now=lambda: now() + made[0].shift,
        clock=now,
        ready=ready,
    )
    transport = httpx.ASGITransport(Plumbing(build(ground), service="staff"))
    async with httpx.AsyncClient(transport=transport, base_url="http://staff") as http:
        made.append(Api(busy, http))
        yield made[0]


@pytest.fixture(scope="module")
async def acme(busy: Office) -> str:
    """Give an organisation."""
    return await busy.organisation()


@pytest.fixture(scope="module")
async def ada(busy: Office, acme: str) -> Person:
    """Give its administrator."""
    return await busy.join(acme, "administrator", enrolled=True)


@pytest.fixture(scope="module")
async def token(api: Api, ada: Person) -> str:
    """Give a session of that administrator."""
    return (await api.session(ada))[0]


@pytest.fixture(scope="module")
async def eve(busy: Office, acme: str) -> Person:
    """Give somebody with 2FA."""
    return await busy.join(acme, enrolled=True)
