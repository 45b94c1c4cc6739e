"""Whether a service lives and is ready; for whoever runs it also why not, and its metrics."""

from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], Awaitable[Sequence[str] | None]]
"""
Raises where something isn't ready. Where everything is, sentences about what an operator should
know all the same: it is no reason to send people elsewhere.
"""


def health(ready: Check) -> APIRouter:
    """Routes ``/health/live``, ``/health/ready`` (*ready* raises where it isn't), for everybody."""
    return _health(ready, lambda **_: {})


def inside(ready: Check, *, service: str) -> FastAPI:
    """
    What listens apart, for whoever runs the service: the same with reasons, and ``/metrics``.

    Args:
        ready: As for `health`.
        service: Its name.
    """
    app = FastAPI(title=f"Twofold {service}, from inside", openapi_url=None)
    app.include_router(_health(ready, lambda **told: {n: v for n, v in told.items() if v}))

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def _health(ready: Check, told: Callable[..., dict[str, object]]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/health/ready")
    async def is_ready() -> JSONResponse:
        try:
            warnings = await ready()
        except Exception as error:  # noqa: BLE001 -- Whatever it is, this is what it means.
            return JSONResponse({"status": "not ready", **told(why=type(error).__name__)}, 503)
        return JSONResponse({"status": "ready", **told(warnings=list(warnings or ()))})

    return router
