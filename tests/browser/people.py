"""People to play: registered over HTTP by support, joining by the link in their mailbox."""

import asyncio
import json
import re
import subprocess
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Literal, Self
from uuid import uuid4

import httpx

from tests.conftest import find_tool

Role = Literal["staff", "administrator", "support"]
STEP_S = 30
_LINK = re.compile(r"http://\S+/password/[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class System:
    """
    Where everything is.

    Attributes:
        soon_auth, soon_staff: The same with clocks a quarter of an hour ahead.
        later_auth: The same 40 days ahead.
    """

    folder: Path
    auth: str
    staff: str
    soon_auth: str
    soon_staff: str
    later_auth: str


def oathtool(secret: str, at: float) -> str:
    """The code that a real TOTP program makes of *secret*, base32, at that Unix time."""
    command = [find_tool("oathtool"), "--totp", "--base32", f"--now=@{int(at)}", "-"]
    done = subprocess.run(command, input=secret, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@dataclass(slots=True)
class Somebody:
    """A person, with what they know and hold."""

    staff_id: str
    organisation_id: str
    username: str
    email: str
    display_name: str
    password: str = field(default_factory=lambda: f"quiet harbour {uuid4().hex[:12]}")
    secret: str | None = None

    def first_code(self, ahead: float = 0) -> str:
        """For setting up: of the step before, so that the present one is left to log in with."""
        return oathtool(self.secret or "", time.time() + ahead - STEP_S)

    def code(self, ahead: float = 0) -> str:
        """What their app shows now."""
        return oathtool(self.secret or "", time.time() + ahead)


@dataclass(frozen=True, slots=True)
class Agency:
    """An organisation."""

    organisation_id: str
    name: str
    staffing: "Staffing"

    async def person(
        self, name: str = "", *, role: Role = "staff", joined: bool = True, enrolled: bool = False
    ) -> Somebody:
        """Somebody new: invited alone, or with a password set, or with an authenticator too."""
        someone = await self.staffing.invite(self.organisation_id, name, role)
        if joined:
            await self.staffing.join(someone, enrolled=enrolled)
        return someone


@dataclass(slots=True)
class Staffing:
    """Registers organisations and people, over HTTP with support's session."""

    system: System
    http: httpx.AsyncClient
    session: str = ""

    @classmethod
    async def begin(cls, system: System, http: httpx.AsyncClient) -> Self:
        """As support's first person, whom the operator registered."""
        self = cls(system, http)
        founder = Somebody(**json.loads((system.folder / "founder.json").read_text()))
        await self.join(founder, enrolled=True)
        self.session = await self.log_in(founder)
        return self

    async def register_agency(self, name: str = "") -> Agency:
        """A new organisation."""
        organisation_id = str(uuid4())
        name = name or f"Agency {organisation_id[:8]}"
        data = {"organisation_id": organisation_id, "name": name}
        await self.command("register_organisation", data)
        return Agency(organisation_id, name, self)

    async def invite(self, organisation_id: str, name: str, role: Role) -> Somebody:
        """Register somebody; a link is on its way to them."""
        someone = _somebody(organisation_id, name)
        await self.command("register_staff", _registration(someone, role))
        return someone

    async def join(self, someone: Somebody, *, enrolled: bool) -> None:
        """Set their password by the link in their mailbox, with an authenticator or without."""
        ticket = (await self.link(someone)).rpartition("/")[2]
        opened = await self.post("password-changes/open", {"ticket": ticket})
        told: dict[str, Any] = {"change": opened["change"], "password": someone.password}
        if enrolled:
            shown = await self.post("password-changes/authenticator", {"change": opened["change"]})
            someone.secret = shown["secret"].replace(" ", "")
            told |= {"choice": "setup_new", "authenticator": shown["authenticator"]}
            told["code"] = someone.first_code()
        else:
            told["choice"] = "no_thanks"
        url = f"{self.system.auth}/api/password-changes/finish"
        answer = await self.http.post(url, json=told)
        if answer.status_code == 422 and enrolled:  # A new time-step has begun meanwhile.
            answer = await self.http.post(url, json=told | {"code": someone.first_code()})
        assert answer.status_code == 200, answer.text

    async def log_in(self, someone: Somebody) -> str:
        """Their session's token."""
        started = await self.post("login/start", {"username": someone.username})
        told = {"login": started["login"], "password": someone.password}
        if someone.secret:
            told["code"] = someone.code()
        return str((await self.post("login/finish", told))["session"])

    async def who(self, session: str) -> dict[str, Any]:
        """What the JSON interface says of a session."""
        headers = {"authorization": f"Bearer {session}"}
        answer = await self.http.get(f"{self.system.auth}/api/session", headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def command(self, name: str, data: dict[str, Any]) -> None:
        """Send a command as support, and wait until it is done."""
        headers = {"authorization": f"Bearer {self.session}"}
        url = f"{self.system.staff}/api/commands"
        sent = await self.http.post(url, json={"type": name, "data": data}, headers=headers)
        assert sent.status_code == 202, sent.text
        async with asyncio.timeout(15):
            while True:
                answer = await self.http.get(f"{url}/{sent.json()['command_id']}", headers=headers)
                if answer.json()["outcome"] != "pending":
                    assert answer.json()["outcome"] == "accepted", answer.text
                    return
                await asyncio.sleep(0.02)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """One of auth's JSON calls."""
        answer = await self.http.post(f"{self.system.auth}/api/{path}", json=body)
        assert answer.status_code in {200, 202}, answer.text
        return dict(answer.json())

    async def link(self, someone: Somebody, number: int = 1) -> str:
        """The *number*th link that came to their mailbox."""
        async with asyncio.timeout(20):
            while True:
                found = [link for mail in self.mails(someone) for link in _links(mail)]
                if len(found) >= number:
                    return found[number - 1]
                await asyncio.sleep(0.02)

    def mails(self, someone: Somebody) -> list[Any]:
        """What came to their mailbox, oldest first."""
        paths = sorted((self.system.folder / "mail").glob("*.eml"))
        mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
        return [mail for mail in mails if mail["To"] == someone.email]


def _links(mail: Any) -> list[str]:
    return _LINK.findall(mail.get_body(("plain",)).get_content())


def _somebody(organisation_id: str, name: str) -> Somebody:
    staff_id = str(uuid4())
    username = f"{(name or 'Somebody').split()[0].lower()}.{staff_id[:8]}"
    return Somebody(
        staff_id, organisation_id, username, f"{username}@agency.example", name or f"Nan {username}"
    )


def _registration(someone: Somebody, role: Role) -> dict[str, Any]:
    return {
        "organisation_id": someone.organisation_id,
        "staff_id": someone.staff_id,
        "username": someone.username,
        "email": someone.email,
        "display_name": someone.display_name,
        "role": role,
    }
