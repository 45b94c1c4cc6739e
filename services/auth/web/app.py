"""The application: the API, the pages, and health."""

from fastapi import FastAPI

from services.auth.handlers.service import Service
from services.auth.web import api
from services.auth.web.problems import handle_refusals
from services.web.health import Check, health
from services.web.pages.site import Site
from services.web.problems import handle_problems


def build(service: Service, ready: Check, site: Site | None = None) -> FastAPI:
    """
    The service over HTTP; `services.web.plumbing.Plumbing` goes around it.

    Args:
        service: What it does.
        ready: Raises where a login couldn't be decided now.
        site: The pages; None: the API alone.
    """
    app = FastAPI(
        title="Twofold auth",
        version="1",
        docs_url=None,
        redoc_url=None,
        description="Logging in, new passwords, sessions. A login is two calls: `/api/login/start`"
        " with the username, then `/api/login/finish` with what that answered, the password and,"
        " with 2FA, the code; its `session` goes as a bearer token. Errors are problem details"
        " (RFC 9457).",
    )
    app.include_router(api.routes(service))
    app.include_router(health(ready))
    handle_problems(app)
    handle_refusals(app)
    if site is not None:
        site.add_to(app)
    return app
