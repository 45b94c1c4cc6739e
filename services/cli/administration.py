"""Commands that change something: topics, keys, people."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli import told
from services.cli.failures import FailureError

if TYPE_CHECKING:
    from events.commands import Command

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="The publisher's key file. [default: the operator's]"),
]
CommandId = Annotated[
    str | None,
    typer.Option(
        "--id",
        help="The id that an earlier try printed: the same command has its outcome. [default: new]",
    ),
]
Wait = Annotated[float, typer.Option(help="Seconds to wait for the outcome.")]

topics = typer.Typer(help="Kafka's topics.", no_args_is_help=True)
command = typer.Typer(help="Admin commands.", no_args_is_help=True)
support = typer.Typer(help="The support team.", no_args_is_help=True)
keys = typer.Typer(help="Keys of an installation.", no_args_is_help=True)

GROUPS = {"topics": topics, "command": command, "support": support, "keys": keys}


@topics.callback()
@command.callback()
@support.callback()
@keys.callback()
def _group() -> None:
    """Keep the name of a single command."""


@topics.command()
def create(
    partitions: Annotated[int, typer.Option(min=1, help="For topics that aren't there yet.")] = 6,
    *,
    as_json: Json = False,
) -> None:
    """Make the topics that are missing, with the settings that they need; safe to repeat."""
    import asyncio  # noqa: PLC0415

    from events.log import broker  # noqa: PLC0415
    from services.foundation import connection_of, load_ring  # noqa: PLC0415

    settings = told.settings()
    ring = load_ring(settings)
    done = asyncio.run(
        broker.create(
            connection_of(settings),
            keys=ring.mac.keys,
            key_id=ring.mac.current,
            partitions=partitions,
        )
    )
    if as_json:
        _print_json({"done": done})
    else:
        typer.echo("\n".join(done) or "Every topic is there.")


@keys.command()
def generate(
    folder: Annotated[
        Path | None, typer.Option(help="Where to write. [default: keys/ in .twofold/]")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Make all keys of a new installation: key ring, publishers.toml, the operator's key."""
    from services.up import keys as files  # noqa: PLC0415

    wanted = files.KeyFiles.under(folder or told.folder() / "keys")
    files.generate(wanted)
    paths = {
        "key_ring": str(wanted.ring),
        "publishers": str(wanted.publishers),
        "operator": str(wanted.operator),
    }
    if as_json:
        _print_json(paths)
        return
    typer.echo(f"Key ring (for the services, TWOFOLD_KEYS):        {wanted.ring}")
    typer.echo(f"Publishers (for the staff service):              {wanted.publishers}")
    typer.echo(f"The operator's key (for people; keep it offline): {wanted.operator}")


@command.command()
def send(
    name: Annotated[str, typer.Argument(help="Such as register_staff or disable_two_factor.")],
    data: Annotated[
        str,
        typer.Argument(help="Its data as JSON; @FILE reads a file, - standard input."),
    ],
    key: KeyFile = None,
    command_id: CommandId = None,
    actor: Annotated[
        str | None,
        typer.Option(help="staff/<uuid>, if the key may name people. [default: itself]"),
    ] = None,
    wait: Wait = 30.0,
) -> None:
    """Sign a command, publish it, and print its outcome as JSON; rejected is a failure."""
    from events.commands import parse_command  # noqa: PLC0415

    _publish(parse_command(name, _data(data)), key, command_id, actor, wait)


@support.command()
def grant(
    staff_id: Annotated[str, typer.Argument(help="Somebody of support's own organisation.")],
    reason: Annotated[str, typer.Option(help="Why; kept, sealed, in the history.")] = (
        "Granted by the operator."
    ),
    key: KeyFile = None,
    command_id: CommandId = None,
    wait: Wait = 30.0,
) -> None:
    """Make somebody of support's own organisation support, with the operator's key."""
    from events.commands import parse_command  # noqa: PLC0415

    home = told.settings().home_organisation
    data = {"organisation_id": home, "staff_id": staff_id, "role": "support", "reason": reason}
    _publish(parse_command("change_role", data), key, command_id, None, wait)


def _publish(
    wanted: "Command", key: Path | None, command_id: str | None, actor: str | None, wait: float
) -> None:
    from datetime import timedelta  # noqa: PLC0415

    from services.foundation import connection_of  # noqa: PLC0415
    from services.publisher import CommandSender, PublisherKey, written_at  # noqa: PLC0415

    settings = told.settings()
    signer = PublisherKey.load(key or told.folder() / "keys" / "operator.json")
    audience = settings.commands_audience
    with CommandSender(connection_of(settings), signer, audience=audience) as sender:
        outcome = sender.send(
            wanted,
            command_id=command_id,
            written=written_at(command_id) if command_id else None,
            actor=actor,
            patience=timedelta(seconds=wait),
        )
    _print_json(outcome.model_dump(mode="json", exclude_none=True))
    if outcome.outcome == "rejected":
        raise FailureError(f"Rejected ({outcome.reason}): {outcome.detail}")


def _data(text: str) -> dict[str, Any]:
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        data = json.loads(text)
    except OSError as error:
        raise FailureError(f"{text[1:]} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise FailureError("The data is no JSON.") from error
    if not isinstance(data, dict):
        raise FailureError("The data must be a JSON object.")
    return data


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))
