"""What OpenAPI documents say beside the models: problems, the bearer token, what no text has."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel

NO_NUL: Final[dict[str, Any]] = {"pattern": "^[^\\u0000]*$"}
"""For a string of a JSON body: `services.web.bodies` refuses NUL before any model sees it."""

BEARER: Final = Security(HTTPBearer(auto_error=False, description="A session, or an API key."))
"""For `dependencies=`; says that a call takes a bearer token, and checks nothing."""


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int


def problems(means: Mapping[int, str], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the problems that it answers with, each with what it *means*."""
    content = {"application/problem+json": {"schema": ProblemDetails.model_json_schema()}}
    return {status: {"description": means[status], "content": content} for status in statuses}
