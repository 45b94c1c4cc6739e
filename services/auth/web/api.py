"""The JSON API: its routes."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from services.auth.handlers.finish_change import FinishChange
from services.auth.handlers.ground import Caller
from services.auth.handlers.login import FinishLogin
from services.auth.handlers.login_answers import ChangeRequired, LinkSent, LoggedIn
from services.auth.handlers.service import Service
from services.auth.handlers.step_up import FreshProof
from services.auth.web.messages import (
    AuthenticatorAsk,
    AuthenticatorShown,
    ChangeFinish,
    ChangeOpen,
    ChangeOpened,
    ChangeRequiredAnswer,
    LinkSentAnswer,
    LoggedInAnswer,
    LoginFinish,
    LoginStart,
    LoginStarted,
    LogOut,
    PasswordReset,
    PasswordSetAnswer,
    SessionAnswer,
    SteppedUpAnswer,
    StepUp,
)
from services.auth.web.qr import qr_svg
from services.web.bodies import StrictRoute
from services.web.documented import BEARER, problems
from services.web.plumbing import client_address, request_id
from services.web.requests import bearer, idempotency_key

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
        """Begin a login; the answer is the same for every username, taken or not."""
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
        """
        Prove the password, and the code of whoever has two-factor authentication; opens a
        session, or a change of an expired password.
        """
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
        """
        Have a link to a new password sent, if somebody can be reached by that username; the
        answer never says.
        """
        service.resets.ask(body.username, caller(request))
        return {"outcome": "accepted"}

    @router.post("/password-changes/open", responses=_problems(400, 401, 403, 410, 422, 503))
    async def open_change(body: ChangeOpen, request: Request) -> ChangeOpened:
        """
        Open the link that came by e-mail, with a code of whoever has two-factor
        authentication.
        """
        opened = await service.changes.open(body.ticket, body.code, caller(request))
        return ChangeOpened(change=opened.change, options=list(opened.options))

    @router.post("/password-changes/authenticator", responses=_problems(400, 410, 422, 503))
    async def show(body: AuthenticatorAsk, request: Request) -> AuthenticatorShown:
        """
        Propose a new authenticator; its secret is shown this once, and the newest one
        proposed is the one that counts.
        """
        shown = await service.changes.show_authenticator(body.change, caller(request))
        return AuthenticatorShown(
            authenticator=shown.authenticator,
            otpauth_uri=shown.otpauth_uri,
            secret=shown.secret,
            qr_svg=qr_svg(shown.otpauth_uri),
        )

    @router.post(
        "/password-changes/finish",
        response_model_exclude_none=True,
        responses=_problems(400, 409, 410, 422, 503),
    )
    async def finish(body: ChangeFinish, request: Request) -> PasswordSetAnswer:
        """
        Set the password and choose what becomes of two-factor authentication, both at once
        or neither; every session ends.
        """
        given = FinishChange(body.change, body.password, body.choice, body.authenticator, body.code)
        done = await service.finishing.finish(given, caller(request))
        return PasswordSetAnswer(
            two_factor=done.two_factor, device=done.device, position=str(done.position)
        )

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
        """Whose session this is, and until when."""
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
        """End this session, or all that this person has."""
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
        """Prove both factors once more, for ten minutes of what is grave."""
        given = FreshProof(body.password, body.code, body.device, body.renew)
        done = await service.step_ups.step_up(bearer(request), given, caller(request))
        return SteppedUpAnswer(fresh_until=done.fresh_until, session=done.session)

    return router
