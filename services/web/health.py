"""Whether a service lives and is ready; its metrics."""

from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], Awaitable[Sequence[str] | None]]
"""
Raises where something isn't ready. Where everything is, sentences about what an operator should
know all the same: it is no reason to send people elsewhere.
"""


def health(ready: Check) -> APIRouter:
    """Routes ``/health/live``, ``/health/ready`` (*ready* raises where it isn't), ``/metrics``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/health/ready")
    async def is_ready() -> JSONResponse:
        try:
            warnings = await ready()
        except Exception as error:  # noqa: BLE001 -- Whatever it is, this is what it means.
            return JSONResponse({"status": "not ready", "why": type(error).__name__}, 503)
        return JSONResponse({"status": "ready"} | ({"warnings": [*warnings]} if warnings else {}))

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
