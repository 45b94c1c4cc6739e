"""Commands that make the key of a program: of a publisher, or one that asks over HTTP."""

import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.cli import told
from services.cli.failures import FailureError
from services.cli.inspection import identifier

Name = Annotated[str, typer.Argument(help="Its name in publishers.toml, such as billing.")]
Organisations = Annotated[
    list[str] | None,
    typer.Option("--organisation", help="An organisation's id; may be repeated. [default: all]"),
]


def publisher(
    name: Name,
    commands: Annotated[
        list[str],
        typer.Option("--command", help="What it may send, or '*'; may be repeated."),
    ],
    organisations: Organisations = None,
    out: Annotated[
        Path | None, typer.Option(help="Where its private key goes. [default: NAME.json]")
    ] = None,
) -> None:
    """
    Make the key of a program that sends commands; prints its section of publishers.toml.

    The private key is the program's alone. Add what is printed with: >> publishers.toml
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    from events.commands import COMMANDS  # noqa: PLC0415
    from events.keys import KEY_BYTES  # noqa: PLC0415
    from services.publisher import PublisherKey  # noqa: PLC0415
    from services.staff.registrations import new_publisher  # noqa: PLC0415

    _one_of(commands, [*COMMANDS, "*"])
    _refuse_taken(name)
    key = PublisherKey(name, secrets.token_bytes(KEY_BYTES))
    public = Ed25519PrivateKey.from_private_bytes(key.key).public_key()
    lines = new_publisher(name, public, commands, _ids(organisations))
    path = out or Path(f"{name}.json")
    key.save(path)
    typer.echo(lines, nl=False)
    typer.echo(f"The private key is in {path}.", err=True)


def api_key(
    name: Name,
    scopes: Annotated[
        list[str],
        typer.Option("--scope", help="read, audit, or command:<name>; may be repeated."),
    ],
    organisations: Organisations = None,
) -> None:
    """
    Make an API key; prints its section of publishers.toml, and the key on standard error.

    The key is shown once; the file holds its hash. Add what is printed with: >> publishers.toml
    """
    from events.commands import COMMANDS  # noqa: PLC0415
    from services.staff.registrations import new_api_key  # noqa: PLC0415

    _one_of(scopes, ["read", "audit", *(f"command:{one}" for one in COMMANDS)])
    _refuse_taken(name)
    token, lines = new_api_key(name, scopes, _ids(organisations))
    typer.echo(lines, nl=False)
    typer.echo(f"The API key, shown this once: {token}", err=True)


COMMANDS: dict[str, Callable[..., None]] = {"publisher": publisher, "api-key": api_key}


def _ids(organisations: Sequence[str] | None) -> Sequence[str]:
    return [found for one in organisations or () if (found := identifier(one))] or ["*"]


def _one_of(given: Sequence[str], known: Sequence[str]) -> None:
    for one in given:
        if one not in known:
            raise typer.BadParameter(f"There is no {one!r}; there are {', '.join(known)}.")


def _refuse_taken(name: str) -> None:
    """A section that stands twice would make the whole file unreadable, and nobody registered."""
    from events.streams import KEY_ID  # noqa: PLC0415
    from services.staff.publishers import read  # noqa: PLC0415

    if not re.fullmatch(KEY_ID, name):
        raise typer.BadParameter(f"{name!r} is no name of a-z, 0-9 and - such as billing.")
    path = told.settings().publishers
    if not path.exists():
        return
    registered = read(path)
    keys = {one.id for one in registered.api_keys.values()}
    if name in registered.publishers.keys() | keys:
        raise FailureError(f"{name} is registered in {path} already; take another name.")
