"""Sessions: whose they are, and logging out."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from events import streams
from events.facts import Draft
from events.log.writer import Decided
from events.session import ABSOLUTE, IDLE, STEP_UP, why_ended
from events.staff import LoggedOut
from events.vault.personal import Details
from services.auth.domain.decision import Decision
from services.auth.domain.errors import InvalidCredentialsError
from services.auth.handlers.ground import Caller, Ground, reloading, settle, staff
from services.auth.handlers.password_changes import PasswordChanges
from services.auth.tickets import token_digest
from services.projections.port import LoadedSession


@dataclass(frozen=True, slots=True)
class Who:
    """
    Whose session it is.

    Attributes:
        fresh_until: Until when the proof of both factors counts as fresh; None: it doesn't.
        expires_at: When it ends if it isn't used again.
        two_factor_mandatory_from: When 2FA becomes mandatory, where that lies ahead.
    """

    session: LoadedSession
    details: Details
    expires_at: datetime
    fresh_until: datetime | None
    two_factor_mandatory_from: datetime | None


class Sessions:
    """What somebody does with a session."""

    def __init__(self, ground: Ground, changes: PasswordChanges) -> None:
        self._ground, self._changes = ground, changes

    async def live(self, token: str | None) -> LoadedSession:
        """
        The session with this token, if it holds; it is noted as used.

        Raises:
            InvalidCredentialsError: There is none, or it has ended, for whatever cause.
        """
        ground = self._ground
        found = await ground.loads.by_session(token_digest(token)) if token else None
        if found is None:
            raise InvalidCredentialsError
        live = LoadedSession(found.session, ground.at_home(found.loaded))
        if why_ended(live.session, live.loaded, ground.now()):
            raise InvalidCredentialsError
        await ground.loads.seen(live.session.id, ground.now())
        return live

    async def who(self, token: str | None) -> Who:
        """
        Whose session it is, and until when.

        Raises:
            InvalidCredentialsError: It doesn't hold.
        """
        return await reloading(lambda: self._who(token))

    async def _who(self, token: str | None) -> Who:
        live, now = await self.live(token), self._ground.now()
        verified = live.session.verified
        fresh_until = verified + STEP_UP if verified is not None else None
        return Who(
            session=live,
            details=await self._changes.details(live.loaded),
            expires_at=min(now + IDLE, live.session.started + ABSOLUTE),
            fresh_until=fresh_until if fresh_until and now < fresh_until else None,
            two_factor_mandatory_from=live.loaded.organisation.policy.mandatory_from(now),
        )

    async def log_out(self, token: str | None, caller: Caller, *, everywhere: bool) -> None:
        """
        End this session, or all of this person's.

        Raises:
            InvalidCredentialsError: It doesn't hold.
        """
        ground = self._ground
        live = await self.live(token)
        person = live.loaded.person
        stream = streams.session(person.organisation_id, live.session.id)
        drafts = [Draft(stream, LoggedOut(staff_id=person.staff_id, everywhere=everywhere))]
        event_id, actor = str(uuid4()), staff(person)

        async def decide() -> Decided[None]:
            """Once: the session's stream begins with its end, so superseded, it is over already."""
            nonlocal drafts
            proposed = ground.propose(Decision(drafts), live.loaded, event_id, caller, actor)
            drafts = []
            return Decided(None, proposed)

        await settle(ground.events, stream, decide)
