"""The JSON API: its bodies, its answers, its routes."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from events.moments import Moment
from events.staff import Choice
from services.auth.handlers.finish_change import FinishChange
from services.auth.handlers.ground import Caller
from services.auth.handlers.login import FinishLogin
from services.auth.handlers.login_answers import ChangeRequired, LinkSent, LoggedIn
from services.auth.handlers.service import Service
from services.auth.handlers.step_up import FreshProof
from services.auth.web.qr import qr_svg
from services.web.bodies import Body, StrictRoute
from services.web.documented import BEARER, NO_NUL, problems
from services.web.plumbing import client_address, request_id
from services.web.requests import bearer, idempotency_key

Username = Annotated[str, Field(min_length=1, max_length=320, json_schema_extra=NO_NUL)]
Ticket = Annotated[str, Field(min_length=1, max_length=1024, json_schema_extra=NO_NUL)]
Secret = Annotated[str, Field(max_length=1024, json_schema_extra=NO_NUL)]
"""A password, as typed; what no password can be is refused as a wrong one is."""
Code = Annotated[str, Field(max_length=64, json_schema_extra=NO_NUL)]
"""A code, as typed; what is no code is refused as a wrong one is."""

TwoFactor = Literal["on", "off"]


class LoginStart(Body):
    username: Username


class LoginStarted(BaseModel):
    login: str


class LoginFinish(Body):
    login: Ticket
    password: Secret
    code: Code | None = None
    device: Ticket | None = None


class LoggedInAnswer(BaseModel):
    outcome: Literal["logged_in"] = "logged_in"
    session: str
    expires_at: Moment
    two_factor: TwoFactor
    device: str
    position: str
    two_factor_mandatory_from: Moment | None = None


class ChangeRequiredAnswer(BaseModel):
    outcome: Literal["password_change_required"] = "password_change_required"
    change: str
    reason: Literal["expired"] = "expired"


class LinkSentAnswer(BaseModel):
    outcome: Literal["link_sent"] = "link_sent"
    reason: Literal["two_factor_mandatory", "reset_required"]


class PasswordReset(Body):
    username: Username


class ChangeOpen(Body):
    ticket: Ticket
    code: Code | None = None


class ChangeOpened(BaseModel):
    change: str
    options: list[Choice]


class AuthenticatorAsk(Body):
    change: Ticket


class AuthenticatorShown(BaseModel):
    authenticator: str
    otpauth_uri: str
    secret: str
    qr_svg: str


class ChangeFinish(Body):
    change: Ticket
    password: Secret
    choice: Choice
    authenticator: Ticket | None = None
    code: Code | None = None


class PasswordSetAnswer(BaseModel):
    outcome: Literal["password_set"] = "password_set"
    two_factor: TwoFactor
    position: str


class SessionAnswer(BaseModel):
    staff_id: str
    organisation_id: str
    organisation: str
    username: str
    display_name: str
    role: str
    two_factor: TwoFactor
    expires_at: Moment
    fresh_until: Moment | None = None
    two_factor_mandatory_from: Moment | None = None
    position: str


class LogOut(Body):
    everywhere: bool = False


class StepUp(Body):
    password: Secret
    code: Code
    device: Ticket | None = None
    renew: bool = Field(
        default=False,
        description="Go on under a new token, which the answer holds: the one that this came with "
        "is dead from then on, so that whoever else has it doesn't share in what was proved.",
    )


class SteppedUpAnswer(BaseModel):
    fresh_until: Moment
    session: str | None = Field(default=None, description="The new token, where renew was asked.")


_MEANS: Final = {
    400: "bad-request",
    401: "invalid-credentials, the same for every cause; wrong-code for a link",
    403: "code-required; step-up-unavailable",
    409: "choice-unavailable, with the options as they now are",
    410: "ticket-dead, with the reason where starting again takes more than that",
    422: "invalid; password-refused or wrong-code, with the reason",
    429: "too-many-attempts, with Retry-After",
    503: "not-done, outcome-unknown, busy or unavailable, with Retry-After",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return problems(_MEANS, *statuses)


def caller(request: Request) -> Caller:
    """
    Where a request comes from.

    Raises:
        Problem: 400 where its Idempotency-Key is too short to be nobody else's.
    """
    return Caller(
        address=client_address(request),
        user_agent=request.headers.get("user-agent", ""),
        request_id=request_id(request),
        idempotency_key=idempotency_key(request),
    )


def routes(service: Service) -> APIRouter:
    """The calls of DESIGN §9."""
    router = APIRouter(prefix="/api", route_class=StrictRoute)
    router.include_router(_logins(service))
    router.include_router(_passwords(service))
    router.include_router(_sessions(service))
    return router


def _router(tag: str) -> APIRouter:
    return APIRouter(route_class=StrictRoute, tags=[tag])


def _logins(service: Service) -> APIRouter:
    router = _router("login")

    @router.post("/login/start", responses=_problems(400, 422))
    async def start(body: LoginStart, request: Request) -> LoginStarted:
        caller(request)
        return LoginStarted(login=service.logins.start(body.username))

    @router.post(
        "/login/finish",
        response_model_exclude_none=True,
        responses=_problems(400, 401, 410, 422, 429, 503),
    )
    async def finish(
        body: LoginFinish, request: Request
    ) -> LoggedInAnswer | ChangeRequiredAnswer | LinkSentAnswer:
        given = FinishLogin(body.login, body.password, body.code, body.device)
        answer = await service.logins.finish(given, caller(request))
        match answer:
            case LoggedIn():
                return LoggedInAnswer(
                    session=answer.session,
                    expires_at=answer.expires_at,
                    two_factor="on" if answer.two_factor else "off",
                    device=answer.device,
                    position=str(answer.position),
                    two_factor_mandatory_from=answer.two_factor_mandatory_from,
                )
            case ChangeRequired(change):
                return ChangeRequiredAnswer(change=change)
            case LinkSent(reason):
                return LinkSentAnswer(reason=reason)

    return router


def _passwords(service: Service) -> APIRouter:
    router = _router("password")

    @router.post("/password-resets", status_code=202, responses=_problems(400, 422, 503))
    async def reset(body: PasswordReset, request: Request) -> dict[str, str]:
        service.resets.ask(body.username, caller(request))
        return {"outcome": "accepted"}

    @router.post("/password-changes/open", responses=_problems(400, 401, 403, 410, 422, 503))
    async def open_change(body: ChangeOpen, request: Request) -> ChangeOpened:
        opened = await service.changes.open(body.ticket, body.code, caller(request))
        return ChangeOpened(change=opened.change, options=list(opened.options))

    @router.post("/password-changes/authenticator", responses=_problems(400, 410, 422, 503))
    async def show(body: AuthenticatorAsk, request: Request) -> AuthenticatorShown:
        shown = await service.changes.show_authenticator(body.change, caller(request))
        return AuthenticatorShown(
            authenticator=shown.authenticator,
            otpauth_uri=shown.otpauth_uri,
            secret=shown.secret,
            qr_svg=qr_svg(shown.otpauth_uri),
        )

    @router.post("/password-changes/finish", responses=_problems(400, 409, 410, 422, 503))
    async def finish(body: ChangeFinish, request: Request) -> PasswordSetAnswer:
        given = FinishChange(body.change, body.password, body.choice, body.authenticator, body.code)
        done = await service.finishing.finish(given, caller(request))
        return PasswordSetAnswer(two_factor=done.two_factor, position=str(done.position))

    return router


def _sessions(service: Service) -> APIRouter:
    router = _router("session")

    @router.get(
        "/session",
        response_model_exclude_none=True,
        dependencies=[BEARER],
        responses=_problems(401, 503),
    )
    async def who(request: Request) -> SessionAnswer:
        found = await service.sessions.who(bearer(request))
        session, loaded = found.session.session, found.session.loaded
        return SessionAnswer(
            staff_id=session.staff_id,
            organisation_id=session.organisation_id,
            organisation=loaded.organisation.name,
            username=found.details.username,
            display_name=found.details.display_name,
            role=loaded.person.role,
            two_factor="on" if session.two_factor else "off",
            expires_at=found.expires_at,
            fresh_until=found.fresh_until,
            two_factor_mandatory_from=found.two_factor_mandatory_from,
            position=str(loaded.place.position),
        )

    @router.post(
        "/logout",
        status_code=204,
        dependencies=[BEARER],
        responses=_problems(400, 401, 422, 503),
    )
    async def log_out(request: Request, body: LogOut | None = None) -> Response:
        everywhere = body is not None and body.everywhere
        await service.sessions.log_out(bearer(request), caller(request), everywhere=everywhere)
        return Response(status_code=204)

    @router.post(
        "/step-up",
        response_model_exclude_none=True,
        dependencies=[BEARER],
        responses=_problems(400, 401, 403, 422, 429, 503),
    )
    async def step_up(body: StepUp, request: Request) -> SteppedUpAnswer:
        given = FreshProof(body.password, body.code, body.device, body.renew)
        done = await service.step_ups.step_up(bearer(request), given, caller(request))
        return SteppedUpAnswer(fresh_until=done.fresh_until, session=done.session)

    return router
