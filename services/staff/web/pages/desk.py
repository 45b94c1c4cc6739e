"""Who sits before a page, what they may see, and what every page of theirs shows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fastapi.responses import Response

from events.organisation import Organisation, Policy
from events.person import Person
from events.session import is_fresh
from services.projections.port import LoadedSession
from services.staff.web import callers
from services.staff.web.commands import CommandBody, Commands
from services.staff.web.ground import Ground
from services.staff.web.unsealing import Names, names_of
from services.web.pages.cookies import SESSION
from services.web.pages.places import Places
from services.web.pages.visit import Visit
from services.web.problems import Problem


@dataclass(frozen=True, slots=True)
class PagesGround:
    """What the web side stands on, how commands are sent, and where pages are."""

    base: Ground
    commands: Commands
    places: Places


@dataclass(frozen=True, slots=True)
class Seat:
    """
    Somebody with a session that may be here.

    Attributes:
        caller: As the JSON calls see them.
        found: Their session and who they are.
        name: What they are called.
    """

    caller: callers.Caller
    found: LoadedSession
    name: str
    home: str

    @property
    def is_support(self) -> bool:
        """Whether every organisation is theirs to look after."""
        person = self.found.loaded.person
        return person.role == "support" and person.organisation_id == self.home

    @property
    def organisation_id(self) -> str:
        """Their own."""
        return self.found.loaded.person.organisation_id

    @property
    def staff_id(self) -> str:
        """Who they are."""
        return self.found.loaded.person.staff_id


SeatedPage = Callable[[Visit, Seat], Awaitable[Response]]


class Desk:
    """What the pages have in common."""

    def __init__(self, ground: PagesGround) -> None:
        self.ground, self.base, self.queries = ground, ground.base, ground.base.queries

    def seated(self, page: SeatedPage) -> Callable[[Visit], Awaitable[Response]]:
        """Let those in who may be here; send the others where they get further."""

        async def answer(visit: Visit) -> Response:
            try:
                seat = await self._seat(visit)
            except Problem as problem:
                return self._elsewhere(visit, problem)
            try:
                return await page(visit, seat)
            except Problem as problem:
                if problem.name != "step-up-required":
                    raise
                return self.step_up(visit)

        return answer

    def show(
        self,
        visit: Visit,
        seat: Seat,
        template: str,
        status: int = 200,
        *,
        at: Organisation | None = None,
        **values: Any,
    ) -> Response:
        """The page, with the bar that all of them have; *at* is the organisation it is about."""
        return visit.page(
            template,
            status,
            seat=seat,
            account=self.ground.places.address("/home"),
            at=at,
            **values,
        )

    def step_up(self, visit: Visit) -> Response:
        """To the page where password and code are given afresh, and back to this one."""
        query = f"?{visit.request.url.query}" if visit.request.url.query else ""
        back = quote(visit.request.url.path + query, safe="/")
        return visit.go(self.ground.places.address(f"/step-up?next={back}"))

    def is_fresh(self, visit: Visit, seat: Seat) -> bool:
        """Whether a grave act would be let through now; asked before anything is typed."""
        return is_fresh(seat.found.session.verified, visit.now)

    async def organisation(self, seat: Seat, organisation_id: str) -> Organisation:
        """
        One of theirs.

        Raises:
            Problem: 404.
        """
        callers.see(seat.caller, organisation_id, "read")
        found, _ = await self.queries.organisation(organisation_id)
        if found is None:
            raise callers.not_found()
        return found

    def policy(self, organisation: Organisation) -> Policy:
        """What holds: in support's own organisation 2FA is always mandatory."""
        return organisation.with_home(self.base.home).policy

    async def person(self, organisation_id: str, staff_id: str) -> Person:
        """
        Somebody of that organisation.

        Raises:
            Problem: 404.
        """
        found, _ = await self.queries.person(organisation_id, staff_id)
        if found is None:
            raise callers.not_found()
        return found

    async def names(self, *people: Person) -> dict[str, Names]:
        """Who they are, by staff id; without those who are forgotten."""
        return dict(await names_of(people, self.base.vault, self.base.ring.encryption))

    async def name(self, person: Person) -> str:
        """What *person* is called."""
        names = await self.names(person)
        return shown_name(names.get(person.staff_id))

    async def send(
        self, visit: Visit, seat: Seat, name: str, data: dict[str, Any], *, back: str
    ) -> Response:
        """
        Publish a command, as the JSON call does, and go to where its outcome is shown.

        Raises:
            Problem: As `Commands.send`.
        """
        command_id = await self.ground.commands.send(
            CommandBody(type=name, data=data),
            seat.caller,
            key=visit.form.key,
            correlation_id=visit.id,
        )
        return visit.go(f"/staff/commands/{command_id}?back={quote(back, safe='/')}")

    async def _seat(self, visit: Visit) -> Seat:
        if visit.session is None:
            raise Problem(401, "unauthenticated", "")
        caller = await callers.by_session(visit.session, self.base)
        found = caller.found
        if found is None:
            raise Problem(401, "unauthenticated", "")
        return Seat(caller, found, await self.name(found.loaded.person), self.base.home)

    def _elsewhere(self, visit: Visit, problem: Problem) -> Response:
        places = self.ground.places
        match problem.name:
            case "unauthenticated":
                notice = "&notice=session-over" if visit.session else ""
                visit.forget(SESSION)
                path = visit.request.url.path if visit.request.method == "GET" else "/staff"
                leads_to = quote(path, safe="/")
                return visit.go(places.address(f"/login?next={leads_to}{notice}"))
            case "two-factor-required" | "not-permitted":
                return visit.page(
                    "not_for_you.html",
                    403,
                    without_two_factor=problem.name == "two-factor-required",
                    account=places.address("/home"),
                    reset=places.address("/forgot-password"),
                )
            case _:
                raise problem


def shown_name(names: Names | None) -> str:
    """What somebody is called; whoever is forgotten has no name any more."""
    return names.display_name if names else "Somebody who was forgotten"


def path_id(visit: Visit, name: str) -> str:
    """An id out of the path, whose route says that it is one."""
    return str(visit.request.path_params[name])


def reason_given(visit: Visit) -> str:
    """The reason, on one line, at most as long as commands take it."""
    return " ".join(visit.form.text("reason").split())[:500]


def today(now: datetime) -> str:
    """The day, as date fields write it."""
    return now.date().isoformat()
