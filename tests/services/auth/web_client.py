"""People who use auth's HTTP side in its tests, and the client by which they do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from events import streams
from services.auth.handlers.service import Service

GOOD = "amber-barley-cobalt-drift-4711"
BETTER = "ember-fathom-gravel-hollow-1174"


@dataclass(slots=True)
class Somebody:
    """A person of the staff, with what they know and hold."""

    organisation_id: str
    staff_id: str
    username: str
    password: str | None = None
    seed: bytes | None = None
    last_step: int = -1

    @property
    def codes(self) -> str:
        return streams.codes(self.organisation_id, self.staff_id)

    @property
    def guesses(self) -> str:
        return streams.guesses(self.organisation_id, self.staff_id)

    @property
    def account(self) -> str:
        return streams.account(self.organisation_id, self.staff_id)

    @property
    def links(self) -> str:
        return streams.links(self.organisation_id, self.staff_id)


@dataclass(slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: dict[str, Any]
    headers: httpx.Headers
    content: bytes

    @property
    def problem(self) -> str:
        return str(self.body.get("type", "")).rpartition("/")[2]

    def expect(self, status: int, problem: str = "", **members: Any) -> "Answer":
        assert (self.status, self.problem) == (status, problem), self.body
        assert {name: self.body.get(name) for name in members} == members
        return self


@dataclass(slots=True)
class Web:
    """One process of the service, over HTTP."""

    client: httpx.AsyncClient
    service: Service

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if key:
            sent["Idempotency-Key"] = key
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
            return _answer(await self.client.post(path, content=body, headers=sent))
        return _answer(await self.client.post(path, json=body, headers=sent))

    async def get(self, path: str, *, token: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return _answer(await self.client.get(path, headers=headers))

    async def start(self, username: str) -> str:
        answer = await self.post("/api/login/start", {"username": username})
        return str(answer.expect(200).body["login"])

    async def login(
        self,
        username: str | Somebody,
        password: str | None = None,
        code: str | None = None,
        *,
        device: str | None = None,
        key: str | None = None,
        login: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Both screens."""
        if isinstance(username, Somebody):
            password = password if password is not None else username.password
            username = username.username
        body = {"login": login or await self.start(username), "password": password}
        body |= {n: v for n, v in {"code": code, "device": device}.items() if v is not None}
        return await self.post("/api/login/finish", body, key=key, headers=headers)

    async def open(self, ticket: str, code: str | None = None, key: str | None = None) -> Answer:
        body = {"ticket": ticket} | ({"code": code} if code is not None else {})
        return await self.post("/api/password-changes/open", body, key=key)

    async def show(self, change: str) -> Answer:
        return await self.post("/api/password-changes/authenticator", {"change": change})

    async def finish(
        self, change: str, choice: str, password: str = BETTER, *, key: str | None = None,
        **more: str,
    ) -> Answer:  # fmt: skip
        body = {"change": change, "password": password, "choice": choice} | more
        return await self.post("/api/password-changes/finish", body, key=key)


def _answer(response: httpx.Response) -> Answer:
    body = response.json() if response.content else {}
    return Answer(response.status_code, body, response.headers, response.content)
