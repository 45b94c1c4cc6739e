"""The application."""

from fastapi import FastAPI

from services.staff.web import commands, organisations, people
from services.staff.web.ground import Ground
from services.staff.web.pages import PagesGround, pages
from services.web.health import health
from services.web.pages.places import Places
from services.web.problems import handle_problems


def build(ground: Ground, places: Places | None = None) -> FastAPI:
    """
    The JSON API and the pages; `services.web.plumbing.Plumbing` goes around it.

    Args:
        ground: What it stands on.
        places: Where pages are; None: the API alone.
    """
    sending = commands.Commands(ground)
    app = FastAPI(
        title="Twofold staff",
        version="1",
        docs_url=None,
        redoc_url=None,
        description="Profiles, policy and admin commands. Errors are problem details (RFC 9457).",
    )
    app.include_router(organisations.routes(ground))
    app.include_router(people.routes(ground))
    app.include_router(commands.routes(ground, sending))
    app.include_router(health(ground.ready))
    handle_problems(app)
    if places is not None:
        pages(PagesGround(ground, sending, places)).add_to(app)
    return app
