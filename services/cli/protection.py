"""Commands that protect an installation: rights in Kafka and PostgreSQL, keys that rotate."""

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli import told
from services.cli.administration import GROUPS as OTHERS
from services.cli.failures import FailureError

if TYPE_CHECKING:
    from services.rotation import Progress

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Passwords = Annotated[
    Path | None,
    typer.Option(help="Where each one's password is or goes. [default: passwords/ in .twofold/]"),
]
Renew = Annotated[
    list[str] | None, typer.Option(help="Give this one a new password; may be repeated.")
]

database = typer.Typer(help="PostgreSQL.", no_args_is_help=True)

GROUPS = {"database": database}


@database.callback()
def _group() -> None:
    """Keep the name of a single command."""


@OTHERS["topics"].command()
def access(
    passwords: Passwords = None,
    renew: Renew = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail where Kafka's list differs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make Kafka's users and its access control list, as the broker's administrator."""
    import asyncio  # noqa: PLC0415

    from events.access import PRINCIPALS  # noqa: PLC0415
    from events.log import access as rights  # noqa: PLC0415
    from events.log import reach  # noqa: PLC0415
    from services.foundation import connection_of  # noqa: PLC0415

    kafka = connection_of(told.settings(), database=False)
    asyncio.run(reach.knock(kafka))
    if check:
        found = asyncio.run(rights.differences(kafka))
        _tell(found, "Kafka's list is what the table says.", as_json=as_json)
        if found:
            raise FailureError(f"Kafka's list differs in {len(found)} line(s).")
        return
    names = {one.name: one.user for one in PRINCIPALS}
    fresh = _passwords(passwords, "kafka", list(names), renew)
    users = {names[name]: password for name, password in fresh.items()}
    done = asyncio.run(rights.apply(kafka, users))
    _tell(done, "Every user and right is there.", as_json=as_json)


@database.command()
def roles(passwords: Passwords = None, renew: Renew = None, *, as_json: Json = False) -> None:
    """Make PostgreSQL's roles and their rights on this database, as a superuser."""
    import asyncio  # noqa: PLC0415

    import asyncpg  # noqa: PLC0415

    from services.projections import schema  # noqa: PLC0415
    from services.projections.database import translated  # noqa: PLC0415
    from services.projections.roles import ROLES, make  # noqa: PLC0415

    settings = told.settings()
    fresh = _passwords(passwords, "database", [role.name for role in ROLES], renew)

    async def run() -> list[str]:
        with translated():
            connection = await asyncpg.connect(settings.database.get_secret_value(), timeout=5)
            try:
                return await make(connection, fresh, schema.name())
            finally:
                await connection.close(timeout=5)

    _tell(asyncio.run(run()), "Every role is there.", as_json=as_json)


@OTHERS["keys"].command()
def rotate(
    *,
    mac: Annotated[
        bool, typer.Option("--mac", help="The writers' MAC key, not the vault's.")
    ] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only add the new key, so that copies can be made.")
    ] = False,
    activate: Annotated[
        bool, typer.Option("--activate", help="Make the prepared key current.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Change no key; go on watching a rotation.")
    ] = False,
    patience: Annotated[float, typer.Option(help="Seconds without progress to give up after.")] = (
        120.0
    ),
    as_json: Json = False,
) -> None:
    """
    Put a new key in use while everything runs.

    The vault's entries are wrapped anew under it (by twofold project); this waits, shows how many
    are left, and proves from Kafka at the end that none is. Cut off, it goes on with --resume. The
    MAC key is always prepared first (--mac --prepare), then made current (--mac --activate), once
    every copy of the key ring has it. Old MAC keys stay in the ring for ever, for what they signed;
    keys retire ends what they can sign.
    """
    from events import keyfile  # noqa: PLC0415
    from services.foundation import load_ring  # noqa: PLC0415

    if prepare + activate + resume > 1 or (mac and not prepare + activate):
        raise typer.BadParameter(
            "Say --mac --prepare, then --mac --activate."
            if mac
            else "Only one of --prepare, --activate and --resume can be meant."
        )
    settings = told.settings()
    load_ring(settings)
    purpose: keyfile.Purpose = "mac" if mac else "encryption"
    told_of: dict[str, object] = {}
    if not activate and not resume:
        told_of["prepared"] = keyfile.prepare(settings.keys, purpose)
    if not prepare and not resume:
        told_of["current"] = keyfile.activate(settings.keys, purpose)
    if not as_json:
        for what, name in told_of.items():
            typer.echo(f"{'MAC key' if mac else 'Key'} {name} is {what}.")
    if not mac and not prepare:
        progress = _rewrap(patience, quiet=as_json)
        told_of |= {"under": progress.under, "left": progress.left, "proved": True}
        if not as_json:
            counts = ", ".join(f"{n} under {key}" for key, n in sorted(progress.under.items()))
            typer.echo(f"Read to its end, the vault holds {counts or 'nothing'}; none is left.")
    if as_json:
        typer.echo(json.dumps(told_of, indent=2))


@OTHERS["keys"].command()
def drop(
    key: Annotated[str, typer.Argument(help="Its id, such as k1.")],
    *,
    mac: Annotated[bool, typer.Option("--mac", help="A MAC key; always refused.")] = False,
) -> None:
    """Take an old key-encryption key out of the key ring, once nothing is left under it."""
    import asyncio  # noqa: PLC0415

    from events import keyfile  # noqa: PLC0415
    from services import rotation  # noqa: PLC0415
    from services.foundation import connection_of, load_ring  # noqa: PLC0415

    if mac:
        raise FailureError(
            "A MAC key is never dropped: the records that it made would turn forged, and with them"
            " all that follows."
        )
    settings = told.settings()
    ring = load_ring(settings)
    under = rotation.proof(connection_of(settings), ring.encryption)
    # A projector whose copy of the ring is of old may have refused what was wrapped anew.
    folded = asyncio.run(rotation.folded(settings.database.get_secret_value()))
    if left := max(under.get(key, 0), folded.get(key, 0)):
        raise FailureError(f"{left} entries of the vault are still under {key}; rotate first.")
    keyfile.drop(settings.keys, key)
    typer.echo(f"Key {key} is gone from {settings.keys}; copies elsewhere are yours to change.")


@OTHERS["keys"].command()
def retire(*, as_json: Json = False) -> None:
    """
    Let nothing count any more that an old MAC key signs from now on.

    What it has signed before goes on counting. Wait until every service signs with the current key
    (keys.changed in its log): what one that doesn't writes is refused. Safe to repeat.
    """
    import asyncio  # noqa: PLC0415

    from events import keyfile  # noqa: PLC0415
    from events.log.writer import NotDoneError, OutcomeUnknownError  # noqa: PLC0415
    from services import retirement  # noqa: PLC0415
    from services.foundation import connection_of, load_ring  # noqa: PLC0415

    settings = told.settings()
    ring = load_ring(settings)
    current = ring.mac.current
    older = keyfile.replaced(ring.mac)
    if not older:
        raise FailureError(
            f"No MAC key is older than {current}; put a new one in use with: twofold keys rotate"
            " --mac --prepare"
        )
    retiring = retirement.retire(
        settings.database.get_secret_value(), connection_of(settings), ring
    )
    try:
        done = asyncio.run(retiring)
    except (NotDoneError, OutcomeUnknownError) as error:
        raise FailureError(
            f"{error} Is twofold project running? Then the same again, which is safe, goes on."
        ) from error
    if as_json:
        typer.echo(json.dumps({"current": current, "retired": older, "partitions": done}, indent=2))
    else:
        where = f"in {len(done)} partition(s)" if done else "already"
        typer.echo(f"Nothing counts {where} that {', '.join(older)} signs from now on.")


def _rewrap(patience: float, *, quiet: bool) -> "Progress":
    import asyncio  # noqa: PLC0415

    from services import rotation  # noqa: PLC0415
    from services.foundation import connection_of, load_ring  # noqa: PLC0415

    settings = told.settings()
    wrapping = load_ring(settings).encryption
    console = sys.stderr.isatty() and not quiet

    def show(progress: "Progress") -> None:
        line = f"{progress.left} entries left, {progress.done} under {wrapping.current}"
        if console:
            typer.echo(f"\r{line} ", nl=False, err=True)
        elif not quiet:
            typer.echo(line, err=True)

    found = asyncio.run(
        rotation.watch(
            settings.database.get_secret_value(),
            connection_of(settings),
            wrapping,
            patience=patience,
            show=show,
        )
    )
    if console:
        typer.echo(err=True)  # Ends the line that was written over.
    if found.left:
        raise FailureError(
            f"{found.left} entries are still under an old key; is twofold project running? Go on"
            " with: twofold keys rotate --resume"
        )
    return found


def _passwords(
    folder: Path | None, prefix: str, names: Sequence[str], renew: Sequence[str] | None
) -> Mapping[str, str]:
    """
    Passwords by name, each in a file of its own; made where there is none, or a new one is wanted.

    All are given every time, so that a server that was made anew gets the ones that are in use.
    """
    if unknown := sorted(set(renew or ()) - set(names)):
        raise typer.BadParameter(f"There is no {unknown[0]}; there are {', '.join(names)}.")
    place = folder or told.folder() / "passwords"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = {}
    for name in names:
        file = place / f"{prefix}-{name}"
        if not file.exists() or name in (renew or ()):
            fresh = file.with_name(f"{file.name}.new")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(32))
            fresh.rename(file)
        found[name] = file.read_text().strip()
    return found


def _tell(done: Sequence[str], otherwise: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"done": list(done)}, indent=2))
    else:
        typer.echo("\n".join(done) or otherwise)
