"""Asking for a link: answered before anything is looked up, done afterwards."""

import asyncio
import secrets
from typing import Final
from uuid import uuid4

import structlog

from events.log.writer import Decided
from services.auth.domain.decision import links
from services.auth.domain.password_change import ask_for_link
from services.auth.handlers.background import LATER, Background
from services.auth.handlers.ground import Attempt, Caller, Ground, settle
from services.auth.ports import BusyError
from services.auth.turns import Turn, Turns
from services.projections.port import LoadedStranger
from services.shares import stranger

log = structlog.get_logger()

MOST_WAITING: Final = 500
AT_ONCE: Final = 8
TRIES: Final = 4
PAUSE_S: Final = 1.0
SPREAD_MS: Final = 500
"""
Within so long, at a random moment, the work begins. There is more of it for somebody who exists:
begun at once, it would slow whatever the same caller asks for next, and tell by that.
"""


class PasswordResets:
    """Issues links that people ask for, in the background."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._background = Background()
        self._turns = Turns(AT_ONCE, most_waiting=MOST_WAITING)

    def ask(self, username: str, caller: Caller) -> None:
        """
        Take note that somebody asks for a link; nothing is looked up yet.

        Raises:
            BusyError: This address has too much waiting.
        """
        turn = self._turns.line_up(stranger(caller.address))
        digest = self._ground.digest_of(username)
        attempt = self._ground.attempt(caller, "password-resets", digest)
        self._background.begin(self._issue(turn, digest, attempt, caller))

    async def drain(self) -> None:
        """Let what was asked for be done; what takes too long is given up."""
        await self._background.drain()

    async def _issue(self, turn: Turn, digest: str, attempt: Attempt, caller: Caller) -> None:
        try:
            async with turn:
                await asyncio.sleep(secrets.randbelow(SPREAD_MS) / 1000)
                await self._try_again_and_again(digest, attempt, caller)
        except BusyError:
            log.warning("link.not_issued", error="BusyError", tries_left=0)

    async def _try_again_and_again(self, digest: str, attempt: Attempt, caller: Caller) -> None:
        for left in reversed(range(TRIES)):
            try:
                await self._try(digest, attempt, caller)
            except LATER as error:
                log.warning("link.not_issued", error=type(error).__name__, tries_left=left)
                await asyncio.sleep(PAUSE_S)
            except Exception:
                log.exception("link.failed")
                return
            else:
                return

    async def _try(self, digest: str, attempt: Attempt, caller: Caller) -> None:
        ground = self._ground
        first = await ground.loads.by_username(digest)
        if isinstance(first, LoadedStranger):
            log.info("link.asked_for_by_stranger", username=digest)
            return

        async def decide() -> Decided[None]:
            loaded = await ground.loads.by_username(digest)
            done = await ground.earlier(attempt) is not None
            if done or isinstance(loaded, LoadedStranger):
                return Decided(None)
            # Of its own, never the event's id: that derives from the caller's key, and what counted
            # under it is forgotten after a week. The same key again would make an old ticket good.
            link = ground.new_link(str(uuid4()))
            decision = ask_for_link(loaded.person, link, ground.now())
            return Decided(None, ground.propose(decision, loaded, attempt.event_id, caller))

        await settle(ground.events, links(first.person), decide)
