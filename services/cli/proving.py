"""Proofs that need no trust: of the projections, and of single records."""

import json
from pathlib import Path
from typing import Annotated

import typer

from services.cli import told
from services.cli.evidence import (
    Checkpoints,
    From,
    VerifyingKey,
    kept,
    mac_keys,
    print_json,
    progress_of,
    verification_key,
)
from services.cli.failures import FailureError
from services.cli.inspection import Json, Progress, history, table


def prove(
    position: Annotated[
        str | None,
        typer.Argument(help="A record's, generation:partition:offset. [default: all projections]"),
    ] = None,
    source: From = None,
    verifying_key: VerifyingKey = None,
    checkpoints: Checkpoints = None,
    out: Annotated[Path | None, typer.Option(help="Write the proof here. [default: print]")] = None,
    *,
    as_json: Json = False,
) -> None:
    """
    Prove that the projections equal the history; or, given a POSITION, that a record is part of it.

    Without a position, the history is folded again, up to where PostgreSQL stands, and compared
    with every table, row by row. With one, a proof is made that the record, with its fate, is part
    of what a checkpoint was signed of. Check it with: twofold audit verify --proof FILE --key KEY
    """
    if position is None:
        _prove_projections(as_json=as_json)
        return
    from events.facts import Position  # noqa: PLC0415
    from services.audit.proof import prove as run  # noqa: PLC0415

    settings = told.settings()
    reading, keys = history(settings, source), mac_keys(settings, source, without=False)
    verifying = verification_key(settings, verifying_key)
    if verifying is None:
        raise FailureError("Say whose checkpoints are believed: --key, as twofold audit key prints")
    try:
        place = Position.parse(position)
    except ValueError:
        raise FailureError(
            f"{position[:80]!r} is no position like generation:partition:offset."
        ) from None
    with progress_of(reading) as progress:
        notes = [*reading.notes, *kept(checkpoints)]
        made = run(reading, keys, place, notes, verifying, progress.advance)
    text = json.dumps(made.to_json(), indent=2)
    if out is None:
        typer.echo(text)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise FailureError(f"{out} can't be written: {error.strerror}.") from error
    typer.echo(f"The proof is in {out}.")


def check_proof(path: Path, key: str | None, *, as_json: bool) -> None:
    from services.audit.notes import VerificationKey  # noqa: PLC0415
    from services.audit.proof import Proof  # noqa: PLC0415

    if key is None:
        raise FailureError("A proof is checked with --key, the verification key that you hold.")
    found = Proof.load(path)
    signed = found.check(VerificationKey.given(key))
    value = (found.record.value or b"").decode("utf-8", "replace")
    if as_json:
        print_json(
            {
                "proved": True,
                "position": str(found.position),
                "fate": str(found.fate),
                "append_time_ms": found.record.append_time_ms,
                "value": value,
                "checkpoint": signed.to_json(),
            }
        )
        return
    typer.echo(
        f"Proved: the record at {found.position} is there, and is {found.fate}, in the first"
        f" {signed.next_offset} records of its partition as signed.\n{told.visible(value)}"
    )


def _prove_projections(*, as_json: bool) -> None:
    import asyncio  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from services.foundation import connection_of, load_ring  # noqa: PLC0415
    from services.projections.comparison import compare  # noqa: PLC0415

    settings = told.settings()
    ring = load_ring(settings)
    with Progress(0) as progress:
        found = asyncio.run(
            compare(
                settings.database.get_secret_value(),
                connection_of(settings),
                ring.mac.keys,
                begin=progress.expect,
                advance=progress.advance,
            )
        )
    if as_json:
        print_json(asdict(found) | {"equal": found.equal, "unread": found.unread})
    else:
        table(
            ("table", "rows", ""),
            [
                (
                    one.table, one.rows,
                    "may not be read by this role" if not one.readable
                    else f"{one.differing} differ" if one.differing else "equal",
                )
                for one in found.tables
            ],
        )  # fmt: skip
        for one in found.tables:
            for each in one.differences:
                where = ", ".join(f"{name}={value}" for name, value in each.key.items())
                what = f"{each.what}: {', '.join(each.columns)}" if each.columns else each.what
                typer.echo(f"{one.table}: {where}: {what}")
        for partition, why in found.halted.items():
            typer.echo(f"Partition {partition} was compared up to where the rule halts: {why}")
        reached = " ".join(f"{p}:{offset}" for p, offset in sorted(found.positions.items()))
        typer.echo(f"Both as of offsets {reached}.")
    if not found.equal:
        raise FailureError("The projections aren't what the history says.")
