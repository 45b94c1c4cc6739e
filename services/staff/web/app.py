"""The application."""

from fastapi import FastAPI

from services.staff.web import commands, organisations, people
from services.staff.web.ground import Ground
from services.web.health import health
from services.web.problems import handle_problems


def build(ground: Ground) -> FastAPI:
    """The JSON API; `services.web.plumbing.Plumbing` goes around it."""
    app = FastAPI(
        title="Twofold staff",
        version="1",
        docs_url=None,
        redoc_url=None,
        description="Profiles, policy and admin commands. Errors are problem details (RFC 9457).",
    )
    app.include_router(organisations.routes(ground))
    app.include_router(people.routes(ground))
    app.include_router(commands.routes(ground))
    app.include_router(health(ground.ready))
    handle_problems(app)
    return app
