"""What auth's pages stand on."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from fastapi.responses import Response

from services.auth.handlers.activity import Activities
from services.auth.handlers.ground import Caller
from services.auth.handlers.service import Service
from services.web.pages.cookies import SESSION
from services.web.pages.places import Places
from services.web.pages.visit import Visit

LOGIN: Final = "__Host-login"
"""A login between its two screens: ``{"login", "username", "next"}``, or ``{"sent": reason}``."""

CHANGE: Final = "__Host-change"
"""A password change: ``{"link"}``, then ``{"change", "expired"}``, then ``{"done": "on"}``."""

LIVES: Final = timedelta(minutes=30)
"""How long a browser keeps a change's state; what is in it may die sooner."""


@dataclass(frozen=True, slots=True)
class PagesGround:
    """What the service does, and where its pages are."""

    service: Service
    activities: Activities
    places: Places


def caller(visit: Visit) -> Caller:
    """Where the request comes from, for the handlers."""
    return Caller(
        address=visit.source,
        user_agent=visit.user_agent,
        request_id=visit.id,
        idempotency_key=visit.form.key,
    )


def state(visit: Visit, name: str) -> dict[str, Any]:
    """What the browser keeps of a flow; empty where that is nothing good."""
    found = visit.state(name)
    return found if isinstance(found, dict) else {}


def log_in_first(visit: Visit, leads_to: str) -> Response:
    """Send somebody without a session to the login, and back from there."""
    notice = "&notice=session-over" if visit.session else ""
    visit.forget(SESSION)
    return visit.go(f"/login?next={leads_to}{notice}")
