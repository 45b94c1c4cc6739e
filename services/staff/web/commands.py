"""
Commands over HTTP: signed by this service's key, published through the same topic as everybody's.

The consumer decides; what it would refuse for want of rights or of a step-up is said here already.
"""

from collections import OrderedDict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import ConfigDict, StringConstraints

from events import streams
from events.canonical import NotCanonicalError, digest, dumps
from events.command_wire import sign, write_command
from events.commands import COMMANDS, Command, UnreadableCommandError, parse_command
from events.log.port import LogError
from services.projections.port import CommandRow
from services.staff.domain.errors import NotPermittedError, RefusedError, StepUpRequiredError
from services.staff.domain.rights import Rights, check
from services.staff.web import callers
from services.staff.web.answers import MEANS, OutcomeAnswer, SentAnswer
from services.staff.web.ground import Ground
from services.staff.web.under_way import UnderWay
from services.web.bodies import Body, StrictRoute
from services.web.documented import BEARER, problems
from services.web.plumbing import request_id
from services.web.problems import Problem
from services.web.requests import derived_id, idempotency_key

_SOURCE = "twofold/staff"
_REMEMBERED = 1_000


def _documented(schema: dict[str, Any]) -> None:
    """A type has its own data; `_parse` sees to it, and this tells of it."""
    kinds = [
        {
            "type": "object",
            "properties": {
                "type": {"enum": [name, f"twofold.command.{name}.v1"]},
                "data": command.model_json_schema(),
            },
            "required": ["type", "data"],
            "additionalProperties": False,
        }
        for name, command in COMMANDS.items()
    ]
    described = {name: schema[name] for name in ("title", "description")}
    schema.clear()
    schema.update({**described, "oneOf": kinds})


class CommandBody(Body):
    """A command by its short name (or its type in full), with its data."""

    model_config = ConfigDict(json_schema_extra=_documented)

    type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]{1,100}$")]
    data: dict[str, Any]


class Commands:
    """Publishes what people and API keys want done; the JSON call and the pages share it."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._secret = ground.ring.derive("idempotency")
        self._signing_id, self._signing_key = ground.ring.signing_id, ground.ring.signing_key()
        # A retry must be the same bytes: its time of writing would make it another command.
        self._published: OrderedDict[str, bytes] = OrderedDict()
        self._under_way = UnderWay(lambda ids: ground.queries.decided(ids, self._signing_id))

    async def send(
        self, body: CommandBody, caller: callers.Caller, *, key: str | None, correlation_id: str
    ) -> str:
        """
        Publish a command.

        Args:
            body: As sent.
            caller: Who wants it.
            key: Their idempotency key.
            correlation_id: The request's id.

        Returns:
            The command's id.

        Raises:
            Problem: 422 where it is no command; 403 where the consumer would refuse it for want of
                rights or of a step-up; 503 where too many of theirs are under way.
            LogUnavailableError: It may or may not be published.
        """
        ground, command = self._ground, _parse(body)
        _check(command, caller, ground)
        about = digest(dumps([command.name, body.data]))
        command_id = derived_id(self._secret, key, caller.actor, "commands", about)
        if key and await ground.queries.outcomes(command_id, self._signing_id):
            return command_id
        await self._under_way.enter(caller.party, command_id)
        value = self._published.get(command_id) or write_command(
            command,
            command_id=command_id,
            source=_SOURCE,
            audience=ground.audience,
            actor=caller.actor,
            now=ground.clock(),
            session_id=caller.session_id,
            correlation_id=correlation_id,
        )
        self._published[command_id] = value
        if len(self._published) > _REMEMBERED:
            self._published.popitem(last=False)
        headers = sign(value, self._signing_id, self._signing_key)
        try:
            await ground.outbox.publish(command.organisation_id, value, headers)
        except LogError:
            self._under_way.leave(caller.party, command_id)
            raise
        return command_id

    async def outcome(
        self, command_id: str, caller: callers.Caller, publisher: str | None = None
    ) -> CommandRow | None:
        """
        What became of a command, as far as it is *caller*'s to know.

        Args:
            command_id: Its id.
            caller: Who asks.
            publisher: Key id of who signed it; None: this service, as all that `send` publishes.
        """
        asked = publisher or self._signing_id
        for row in await self._ground.queries.outcomes(command_id, asked):
            # Elsewhere an actor's name is its publisher's to give.
            sent = row.actor == caller.actor and asked == self._signing_id
            if sent or caller.sees(row.organisation_id):
                return row
        return None

    async def outcome_of_anybody(
        self, command_id: str, caller: callers.Caller
    ) -> CommandRow | None:
        """
        What became of this service's command, or else of the one other publisher's of that id.

        Whoever learns an id can take it, too; so where several did, none is told of unasked.
        """
        row = await self.outcome(command_id, caller)
        if row is not None:
            return row
        seen = [
            row
            for row in await self._ground.queries.outcomes(command_id, None)
            if caller.sees(row.organisation_id)
        ]
        return seen[0] if len({row.publisher for row in seen}) == 1 else None


def routes(ground: Ground, commands: Commands) -> APIRouter:
    """The routes."""
    router = APIRouter(
        prefix="/api/commands",
        route_class=StrictRoute,
        tags=["commands"],
        dependencies=[BEARER],
    )

    @router.post("", status_code=202, responses=problems(MEANS, 400, 401, 403, 422, 503))
    async def send(request: Request, body: CommandBody) -> SentAnswer:
        """Publish a command."""
        caller = await callers.who_calls(request, ground)
        key = idempotency_key(request)
        correlation_id = request_id(request)
        sent = await commands.send(body, caller, key=key, correlation_id=correlation_id)
        return SentAnswer(command_id=sent)

    @router.get(
        "/{command_id}",
        response_model_exclude_none=True,
        responses=problems(MEANS, 401, 403, 422, 503),
    )
    async def outcome(
        request: Request,
        command_id: Annotated[str, Path(pattern=rf"^{streams.COMMAND_ID}$")],
        publisher: Annotated[
            str | None,
            Query(
                pattern=rf"^{streams.KEY_ID}$",
                description="Key id of who signed it, where several may have taken the same id.",
            ),
        ] = None,
    ) -> OutcomeAnswer:
        """What became of a command; *pending* also where it isn't the caller's to know."""
        caller = await callers.who_calls(request, ground)
        if publisher is None:
            row = await commands.outcome_of_anybody(command_id, caller)
        else:
            row = await commands.outcome(command_id, caller, publisher)
        return OutcomeAnswer.of(row) if row else OutcomeAnswer(command_id=command_id)

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
