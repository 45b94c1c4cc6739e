"""Auth's refusals as problem details: the one table from errors to answers."""

import math
from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from services.auth.domain.errors import (
    ChangeUsedUpError,
    ChoiceUnavailableError,
    CodeRequiredError,
    InvalidCredentialsError,
    PasswordRefusedError,
    StepUpUnavailableError,
    TicketDeadError,
    TooManyAttemptsError,
    WrongCodeError,
)
from services.auth.ports import BusyError
from services.web.problems import Problem, unavailable

_DEAD: Final = "This can't be used any more; please start again."
_NEW_CODE_PATH: Final = "/api/password-changes/finish"


def handle_refusals(app: FastAPI) -> None:
    """Let *app* answer auth's refusals as problems."""
    for kind in (
        BusyError,
        ChoiceUnavailableError,
        CodeRequiredError,
        InvalidCredentialsError,
        PasswordRefusedError,
        StepUpUnavailableError,
        TicketDeadError,
        TooManyAttemptsError,
        WrongCodeError,
    ):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    return problem(error, request.url.path).response()


def problem(error: Exception, path: str) -> Problem:
    """
    What *error* is answered with.

    A wrong code opens no change (401); given for a new authenticator, it is an input that doesn't
    fit (422).
    """
    match error:
        case InvalidCredentialsError():
            title = "That didn't work. Check your username, password and code, and try again."
            return _unauthorised("invalid-credentials", title)
        case TooManyAttemptsError(retry_after=pause):
            seconds = max(1, math.ceil(pause.total_seconds()))
            title = "There were too many attempts; please wait before the next."
            return Problem(429, "too-many-attempts", title, headers={"Retry-After": str(seconds)})
        case ChangeUsedUpError(reason=reason):
            return Problem(410, "ticket-dead", _DEAD, reason=reason)
        case TicketDeadError():
            return Problem(410, "ticket-dead", _DEAD)
        case CodeRequiredError():
            return Problem(403, "code-required", "Give a current code from your authenticator.")
        case WrongCodeError() if path == _NEW_CODE_PATH:
            reason = "This is no current code of the new authenticator; enter the one it shows now."
            return Problem(422, "wrong-code", "The code isn't right.", reason=reason)
        case WrongCodeError():
            return _unauthorised("wrong-code", "The code isn't right.")
        case ChoiceUnavailableError(options=options):
            title = "That choice is not on offer."
            return Problem(409, "choice-unavailable", title, options=list(options))
        case PasswordRefusedError(reason=reason):
            return Problem(422, "password-refused", "Choose another password.", reason=reason)
        case StepUpUnavailableError():
            title = "This needs two-factor authentication, which is off for you."
            return Problem(403, "step-up-unavailable", title)
        case BusyError():
            return unavailable("busy", "Too much is asked for at once; please try again.")
        case _:
            return unavailable()


def _unauthorised(name: str, title: str) -> Problem:
    return Problem(401, name, title, headers=_CHALLENGE)


_CHALLENGE: Final[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="twofold"'}
"""RFC 9110 §15.5.2: a 401 names how to authenticate."""
