"""Who calls: a person's session, or an API key; and what they may see."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import structlog
from starlette.requests import HTTPConnection

from events.session import why_ended
from services.projections.port import LoadedSession
from services.staff.domain.rights import Rights, Sender
from services.staff.publishers import API_KEY_PREFIX, ApiKey
from services.staff.web.ground import Ground
from services.web.problems import Problem
from services.web.requests import bearer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who calls; one of both is given.

    Attributes:
        found: A session that holds, made with 2FA, of an administrator or of support.
        api_key: As the file says now.
        home: Id of support's own organisation.
    """

    found: LoadedSession | None
    api_key: ApiKey | None
    home: str

    @property
    def actor(self) -> str:
        """As commands and events name it."""
        if self.found is not None:
            return f"staff/{self.found.loaded.person.staff_id}"
        return f"service/{self.api_key.id if self.api_key else ''}"

    @property
    def party(self) -> str:
        """Whom they share with what only so many can have: administrators, their organisation."""
        if self.found is None or self.found.loaded.person.role == "support":
            return self.actor
        return self.found.loaded.person.organisation_id

    @property
    def session_id(self) -> str | None:
        """The session's id."""
        return self.found.session.id if self.found else None

    def sees(self, organisation_id: str) -> bool:
        """Whether the organisation is one of theirs."""
        if self.api_key is not None:
            return self.api_key.sees(organisation_id)
        if self.found is None:
            return False
        person = self.found.loaded.person
        support = person.role == "support" and person.organisation_id == self.home
        return support or person.organisation_id == organisation_id

    def sender(self, publisher: Rights) -> Sender:
        """As the consumer will see them, so that what it must refuse is refused at once."""
        rights = self.api_key.rights if self.api_key else publisher
        if self.found is None:
            return Sender(self.actor, rights)
        return Sender(self.actor, rights, self.found.loaded, self.found.session, from_session=True)


def not_found() -> Problem:
    """404: the same for what doesn't exist and for what is another organisation's."""
    return Problem(404, "not-found", "There is nothing here.")


async def who_calls(request: HTTPConnection, ground: Ground) -> Caller:
    """
    Whoever the bearer token is of.

    Raises:
        Problem: 401 where it is nobody's; 403 for a session without 2FA, or without such a role.
    """
    token = bearer(request)
    if token is None:
        raise _unauthenticated()
    if token.startswith(API_KEY_PREFIX):
        api_key = ground.publishers.api_key(token)
        if api_key is None:
            raise _unauthenticated()
        return Caller(None, api_key, ground.home)
    return await by_session(token, ground)


async def by_session(token: str, ground: Ground) -> Caller:
    """
    Whoever the session is of that *token* opens.

    Raises:
        Problem: As `who_calls`.
    """
    found = await ground.loads.by_session(sha256(token.encode()).hexdigest())
    now = ground.now()
    if found is None or why_ended(found.session, found.loaded, now):
        raise _unauthenticated()
    if not found.session.two_factor:
        raise Problem(403, "two-factor-required", "This needs a session made with 2FA.")
    if found.loaded.person.role not in {"administrator", "support"}:
        raise Problem(403, "not-permitted", "This is for administrators and support.")
    await ground.loads.seen(found.session.id, now)
    return Caller(found, None, ground.home)


def see(caller: Caller, organisation_id: str, scope: Literal["read", "audit"]) -> None:
    """
    Let *caller* look at the organisation.

    Raises:
        Problem: 403 for an API key without *scope*; 404 for another organisation.
    """
    if caller.api_key is not None and scope not in caller.api_key.scopes:
        raise Problem(403, "not-permitted", "This API key is not for this.")
    if not caller.sees(organisation_id):
        log.warning("organisation.not_theirs", actor=caller.actor, organisation=organisation_id)
        raise not_found()


def _unauthenticated() -> Problem:
    return Problem(
        401,
        "unauthenticated",
        "A session or an API key is needed.",
        headers={"WWW-Authenticate": "Bearer"},
    )
