"""The auth service: put together, and served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from starlette.types import ASGIApp

from events.log.port import LogUnavailableError
from services.auth.adapters.passwords import Argon2Passwords
from services.auth.handlers.activity import Activities
from services.auth.handlers.ground import Ground, Keys
from services.auth.handlers.service import Service
from services.auth.tickets import Tickets
from services.auth.web.app import build
from services.auth.web.pages import PagesGround, pages
from services.foundation import Foundation, foundation
from services.settings import Settings
from services.web.connections import Limits
from services.web.health import Check, inside
from services.web.pages.places import Places
from services.web.plumbing import Plumbing
from services.web.serving import ANY_PORT, Served, listen_twice, serve

SOURCE = "twofold/auth"

log = structlog.get_logger(__name__)


async def run(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    metrics: tuple[str, int] = ANY_PORT,
) -> None:
    """
    Serve until told to stop (SIGINT, SIGTERM).

    Args:
        settings: Checked.
        host: Where to listen.
        port: Likewise.
        metrics: Where to listen for whoever runs it: address and port.

    Raises:
        CannotStartError: Something is missing or unsafe.
    """
    with listen_twice((host, port), metrics) as (outer, inner):
        async with foundation(settings, SOURCE) as base, app_on(base) as app:
            log.info("auth.started", port=port, metrics=inner.getsockname()[1])
            await serve(
                Served(app, outer, Limits(connections=settings.connections)),
                Served(inside(ready_on(base), service="auth"), inner),
            )
        log.info("auth.stopped")


@asynccontextmanager
async def app_on(base: Foundation) -> AsyncIterator[ASGIApp]:
    """The whole application on *base*; what is under way is done when it ends."""
    passwords = Argon2Passwords(base.ring.derive("pepper"))
    ground = ground_on(base, passwords)
    service = Service.on(ground)

    places = Places(auth=base.settings.auth_url, staff=base.settings.staff_url)
    told = PagesGround(service, Activities(ground, base.queries), places)
    site = pages(told, key=base.ring.derive, now=base.now)

    try:
        yield Plumbing(
            build(service, ready_on(base), site),
            service="auth",
            trusted_proxies=base.settings.trusted_proxies,
        )
    finally:
        await service.resets.drain()
        await service.logins.drain()
        passwords.close()


def ready_on(base: Foundation) -> Check:
    """Whether a login could be decided now."""

    async def ready() -> None:
        await base.queries.organisations(1)
        if base.log.away or base.strangers_log.away:
            raise LogUnavailableError("Kafka is away.")

    return ready


def ground_on(base: Foundation, passwords: Argon2Passwords) -> Ground:
    """What the handlers stand on."""
    return Ground(
        loads=base.loads,
        vault=base.vault,
        events=base.writer,
        strangers=base.strangers,
        passwords=passwords,
        tickets=Tickets(base.ring),
        keys=Keys(base.ring),
        now=base.now,
        home_organisation=base.settings.home_organisation,
        clock_ahead=base.settings.clock_ahead,
    )
