"""Strict JSON bodies: no unknown or repeated member, no NUL, no fraction, no lone surrogate."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from events import canonical


class Body(BaseModel):
    """What a call is sent; nothing is coerced and nothing is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class StrictRoute(APIRoute):
    """A route whose JSON is read strictly: ``APIRouter(route_class=StrictRoute)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await inner(_StrictRequest(request.scope, request.receive))

        return handle


class _StrictRequest(Request):
    async def json(self) -> Any:
        return read_strictly(await self.body())


def read_strictly(value: bytes) -> Any:
    """
    Read JSON.

    Raises:
        json.JSONDecodeError: It isn't, or a member stands twice, or it holds NUL, a fraction, a
            lone surrogate or more depth than is read. The error holds no part of it.
    """
    try:
        parsed = json.loads(value.decode(), object_pairs_hook=_unique)
        canonical.dumps(parsed)
    except (ValueError, RecursionError):
        raise json.JSONDecodeError("not the JSON asked for", "", 0) from None
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members
