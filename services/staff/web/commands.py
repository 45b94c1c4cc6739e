"""
Commands over HTTP: signed by this service's key, published through the same topic as everybody's.

The consumer decides; what it would refuse for want of rights or of a step-up is said here already.
"""

from collections import OrderedDict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import StringConstraints

from events import streams
from events.canonical import NotCanonicalError, digest, dumps
from events.commands import (
    Command,
    UnreadableCommandError,
    parse_command,
    sign,
    write_command,
)
from services.staff.domain.errors import NotPermittedError, RefusedError, StepUpRequiredError
from services.staff.domain.rights import Rights, check
from services.staff.web import callers
from services.staff.web.answers import OutcomeAnswer, SentAnswer
from services.staff.web.ground import Ground
from services.web.bodies import Body, StrictRoute
from services.web.plumbing import request_id
from services.web.problems import Problem
from services.web.requests import derived_id, idempotency_key

_SOURCE = "twofold/staff"
_REMEMBERED = 1_000


class CommandBody(Body):
    """A command by its short name (or its type in full), with its data."""

    type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]{1,100}$")]
    data: dict[str, Any]


def routes(ground: Ground) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/commands", route_class=StrictRoute, tags=["commands"])
    secret = ground.ring.derive("idempotency")
    signing_id, signing_key = ground.ring.signing_id, ground.ring.signing_key()
    # A retry must be the same bytes: its time of writing would make it another command.
    published: OrderedDict[str, bytes] = OrderedDict()

    @router.post("", status_code=202)
    async def send(request: Request, body: CommandBody) -> SentAnswer:
        """Publish a command."""
        caller = await callers.who_calls(request, ground)
        command = _parse(body)
        _check(command, caller, ground)
        key = idempotency_key(request)
        about = digest(dumps([command.name, body.data]))
        command_id = derived_id(secret, key, caller.actor, "commands", about)
        if key and await ground.queries.command(command_id) is not None:
            return SentAnswer(command_id=command_id)
        value = published.get(command_id) or write_command(
            command,
            command_id=command_id,
            source=_SOURCE,
            audience=ground.audience,
            actor=caller.actor,
            now=ground.clock(),
            session_id=caller.session_id,
            correlation_id=request_id(request),
        )
        published[command_id] = value
        if len(published) > _REMEMBERED:
            published.popitem(last=False)
        headers = sign(value, signing_id, signing_key)
        await ground.outbox.publish(command.organisation_id, value, headers)
        return SentAnswer(command_id=command_id)

    @router.get("/{command_id}", response_model_exclude_none=True)
    async def outcome(
        request: Request,
        command_id: Annotated[str, Path(pattern=rf"^{streams.COMMAND_ID}$")],
    ) -> OutcomeAnswer:
        """What became of a command."""
        caller = await callers.who_calls(request, ground)
        row = await ground.queries.command(command_id)
        if row is None or not (row.actor == caller.actor or caller.sees(row.organisation_id)):
            return OutcomeAnswer(command_id=command_id, outcome="pending")
        return OutcomeAnswer.of(row)

    return router


def _parse(body: CommandBody) -> Command:
    name = body.type.removeprefix("twofold.command.").removesuffix(".v1")
    try:
        dumps(body.data)
        return parse_command(name, body.data)
    except (UnreadableCommandError, NotCanonicalError):
        # Its own sentence names members, and those may be the caller's words.
        raise Problem(
            422, "invalid", "There is no such command, or its data doesn't fit."
        ) from None


def _check(command: Command, caller: callers.Caller, ground: Ground) -> None:
    publisher = ground.publishers.find(ground.ring.signing_id)
    rights = publisher.rights if publisher else _NO_RIGHTS
    try:
        check(command, caller.sender(rights), ground.home, ground.now())
    except StepUpRequiredError as error:
        raise Problem(403, error.reason, error.detail) from None
    except NotPermittedError as error:
        raise Problem(403, error.reason, error.detail) from None
    except RefusedError:
        return  # The consumer's to say, where it is recorded.


_NO_RIGHTS = Rights("", frozenset(), frozenset(), frozenset())
