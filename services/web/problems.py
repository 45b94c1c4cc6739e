"""
Problem details (RFC 9457): every error that a caller is answered with, in one shape.

A problem says what the caller may know and no more: never what was sent, never a trace.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from events.log.port import LogError
from events.log.writer import NotDoneError, OutcomeUnknownError
from events.vault.port import VaultUnavailableError
from services.projections.port import NotYetError, ProjectionUnavailableError

TYPE_PREFIX: Final = "https://twofold.example/problems/"
MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 2

_BY_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad-request", "The request can't be understood."),
    404: ("not-found", "There is nothing here."),
    405: ("method-not-allowed", "This can't be asked for in this way."),
    406: ("not-acceptable", "No such representation can be given."),
    413: ("too-large", "The request is too large."),
    415: ("unsupported-media-type", "The body must be application/json."),
}


class Problem(Exception):  # noqa: N818 -- RFC 9457's word; it is an answer as much as an error.
    """
    An answer that is no success; raised anywhere in a handler of the web side.

    Attributes:
        status: HTTP's.
        name: The permanent word that `type` ends in.
        title: A sentence for people, the same for every occurrence.
        headers: More of them, such as ``Retry-After``.
        members: More members of the object, such as the options that remain.
    """

    def __init__(
        self,
        status: int,
        name: str,
        title: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(name)
        self.status, self.name, self.title = status, name, title
        self.headers, self.members = dict(headers or {}), members

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(
            {
                "type": TYPE_PREFIX + self.name,
                "title": self.title,
                "status": self.status,
                **self.members,
            },
            self.status,
            self.headers,
            media_type=MEDIA_TYPE,
        )


def unavailable(name: str = "unavailable", title: str = "") -> Problem:
    """503: nothing was decided, or it isn't known what was; try again."""
    return Problem(
        503,
        name,
        title or "This can't be done at the moment; please try again.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def failed() -> Problem:
    """500: a fault of ours, which the log tells more of."""
    return Problem(500, "error", "Something went wrong on our side.")


def for_error(error: Exception) -> Problem | None:
    """The problem that *error*, of the log, the vault or the projections, is answered with."""
    match error:
        case Problem():
            return error
        case NotYetError():
            return unavailable("not-yet", "The position asked for is not reached yet.")
        case NotDoneError():
            return unavailable("not-done", "Nothing was done, and nothing will be; try again.")
        case OutcomeUnknownError():
            return unavailable(
                "outcome-unknown", "Whether it was done can't be told yet; send the same again."
            )
        case LogError() | VaultUnavailableError() | ProjectionUnavailableError():
            return unavailable()
        case _:
            return None


UNAVAILABLE: Final[tuple[type[Exception], ...]] = (
    NotYetError,
    NotDoneError,
    OutcomeUnknownError,
    LogError,
    VaultUnavailableError,
    ProjectionUnavailableError,
)


def handle_problems(app: FastAPI) -> None:
    """Let *app* answer errors as problems, an address with a slash too many among them."""
    # It would be sent on to where the Host header says, without TLS: a link's ticket with it.
    app.router.redirect_slashes = False
    kinds: tuple[type[Exception], ...] = (Problem, *UNAVAILABLE)
    for kind in kinds:
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _known(_request: Request, error: Exception) -> JSONResponse:
    return (for_error(error) or unavailable()).response()


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    return failed().response()  # `Plumbing` logs it.


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """422 with the places that don't fit; never with what stood there."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [{"at": _place(one), "kind": str(one["type"])} for one in found]
    return Problem(422, "invalid", "The request doesn't fit.", errors=errors).response()


def _place(error: Mapping[str, Any]) -> str:
    places = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        places[-1] = "?"  # The name was the caller's, and may be anything.
    if error["type"] == "json_invalid":
        places = places[:1]
    return ".".join(places)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    name, title = _BY_STATUS.get(status, ("error", "This didn't work."))
    return Problem(status, name, title, headers=headers).response()
