"""Commands by which an auditor needs to trust nobody: verify, checkpoint, prove."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli import told
from services.cli.failures import FailureError
from services.cli.inspection import Json, Progress, history, table

if TYPE_CHECKING:
    from services.audit.checkpoint import Checkpoint
    from services.audit.history import History
    from services.audit.notes import VerificationKey
    from services.audit.verify import Keys, Verified
    from services.publisher import PublisherKey
    from services.settings import Settings

From = Annotated[Path | None, typer.Option("--from", help="Read a dump instead of Kafka.")]
VerifyingKey = Annotated[
    str | None,
    typer.Option("--key", help="The verification key, or its file. [default: the signing key's]"),
]
SigningKey = Annotated[
    Path | None,
    typer.Option(help="The checkpoints' private key. [default: checkpoint.json in keys/]"),
]
Checkpoints = Annotated[
    list[Path] | None,
    typer.Option(help="A file of checkpoints that you kept; may be repeated."),
]
_KEY_ID = "checkpoint"


def verify(
    source: From = None,
    key: VerifyingKey = None,
    checkpoints: Checkpoints = None,
    proof: Annotated[
        Path | None, typer.Option(help="Check this proof of a record instead; needs nothing else.")
    ] = None,
    *,
    without_keys: Annotated[
        bool,
        typer.Option("--without-keys", help="Use no key ring: take the dump's word for MACs."),
    ] = False,
    as_json: Json = False,
) -> None:
    """
    Check the history from its first record, and against every signed checkpoint.

    With --from FILE no server is asked. With --key, at least one checkpoint by that key must be
    there: those beside the history, and those of --checkpoints.
    """
    from services.audit.checkpoint import opened  # noqa: PLC0415
    from services.audit.verify import complaints  # noqa: PLC0415
    from services.audit.verify import verify as run  # noqa: PLC0415

    if proof is not None:
        _check_proof(proof, key, as_json=as_json)
        return
    settings = told.settings()
    reading, keys = history(settings, source), _keys(settings, source, without=without_keys)
    verifying = _verification_key(settings, key)
    signed, refused = (
        opened([*reading.notes, *_kept(checkpoints)], verifying) if verifying else ([], 0)
    )
    with progress_of(reading) as progress:
        found = run(reading, keys, signed, progress.advance)
    wrong = list(complaints(found))
    if key is not None and not signed:
        wrong.append("There is no checkpoint that is signed by this key.")
    if as_json:
        print_json(
            {
                "verified": not wrong,
                "key": str(verifying) if verifying else None,
                "macs_checked": keys is not None,
                "checkpoints": len(signed),
                "refused_notes": refused,
                "partitions": [one.to_json() for one in found],
                "wrong": wrong,
            }
        )
    else:
        _show_verified(found)
        _say_what_covers(found, signed, refused, verifying, keys)
        for sentence in wrong:
            typer.echo(f"WRONG: {sentence}")
    if wrong:
        raise FailureError(f"The history doesn't hold: {wrong[0]}")


def checkpoint(
    signing_key: SigningKey = None,
    checkpoints: Checkpoints = None,
    out: Annotated[
        Path | None, typer.Option(help="Append the signed checkpoints to this file as well.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """
    Sign what each partition's history is now, and publish it.

    Refused where the history contradicts an earlier checkpoint, or doesn't hold otherwise.
    """
    from services.audit.checkpoint import opened, publish  # noqa: PLC0415
    from services.audit.notes import public_of  # noqa: PLC0415
    from services.audit.verify import complaints  # noqa: PLC0415
    from services.audit.verify import verify as run  # noqa: PLC0415
    from services.foundation import connection_of  # noqa: PLC0415

    settings = told.settings()
    private = _signing_key(signing_key).private()
    name = f"twofold/{settings.environment}"
    reading, keys = history(settings, None), _keys(settings, None, without=False)
    signed, _ = opened([*reading.notes, *_kept(checkpoints)], public_of(private, name))
    with progress_of(reading) as progress:
        found = run(reading, keys, signed, progress.advance)
    for sentence in complaints(found):
        raise FailureError(f"Nothing was signed. {sentence}")
    fresh = [one.checkpoint(name) for one in found if one.covered < one.tree.size]
    notes = [(one.partition, one.sign(private)) for one in fresh]
    publish(connection_of(settings, database=False), notes)
    if out is not None:
        with out.open("a", encoding="utf-8") as file:
            file.writelines(note for _, note in notes)
    if as_json:
        print_json(
            {
                "signed": [
                    one.to_json() | {"note": note}
                    for one, (_, note) in zip(fresh, notes, strict=True)
                ]
            }
        )
        return
    for one in fresh:
        typer.echo(f"{one.partition}: {one.next_offset} records, root {one.root.hex()}")
    if not fresh:
        typer.echo("Nothing has come since the last checkpoints.")


def key(
    signing_key: SigningKey = None,
    *,
    new: Annotated[bool, typer.Option("--new", help="Make the private key first.")] = False,
    as_json: Json = False,
) -> None:
    """
    Print the verification key, which an auditor keeps; it checks checkpoints and signs none.

    The private key belongs to whoever signs checkpoints, and to no service: who has stolen the key
    ring can write records that look like ours, but can't sign what they did to the history.
    """
    import secrets  # noqa: PLC0415

    from events.keys import KEY_BYTES  # noqa: PLC0415
    from services.audit.notes import public_of  # noqa: PLC0415
    from services.publisher import PublisherKey  # noqa: PLC0415

    settings = told.settings()
    if new:
        PublisherKey(_KEY_ID, secrets.token_bytes(KEY_BYTES)).save(_signing_path(signing_key))
    private = _signing_key(signing_key).private()
    verifying = public_of(private, f"twofold/{settings.environment}")
    if as_json:
        print_json(
            {"key": str(verifying), "name": verifying.name, "public": verifying.public.hex()}
        )
    else:
        typer.echo(str(verifying))


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
    reading, keys = history(settings, source), _keys(settings, source, without=False)
    verifying = _verification_key(settings, verifying_key)
    if verifying is None:
        raise FailureError("Say whose checkpoints are believed: --key, as twofold audit key prints")
    try:
        place = Position.parse(position)
    except ValueError:
        raise FailureError(f"{position[:80]!r} is no position.") from None
    with progress_of(reading) as progress:
        notes = [*reading.notes, *_kept(checkpoints)]
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


COMMANDS: dict[str, Callable[..., None]] = {
    "verify": verify,
    "checkpoint": checkpoint,
    "key": key,
    "prove": prove,
}


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


def _check_proof(path: Path, key: str | None, *, as_json: bool) -> None:
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
        f" {signed.next_offset} records of its partition as signed.\n{value}"
    )


def progress_of(reading: "History") -> Progress:
    """How far the reading of a history got, on standard error."""
    return Progress(sum(span.end - span.start for span in reading.spans))


def _keys(settings: "Settings", source: Path | None, *, without: bool) -> "Keys":
    """The MAC keys; None where the dump's word is taken."""
    from services.foundation import load_ring  # noqa: PLC0415

    if without:
        if source is None:
            raise FailureError("Without a key ring, only a dump can be verified: --from FILE.")
        return None
    return load_ring(settings).mac.keys


def _verification_key(settings: "Settings", given: str | None) -> "VerificationKey | None":
    from services.audit.notes import VerificationKey, public_of  # noqa: PLC0415

    if given is not None:
        return VerificationKey.given(given)
    if not _signing_path(None).exists():
        return None
    return public_of(_signing_key(None).private(), f"twofold/{settings.environment}")


def _signing_path(given: Path | None) -> Path:
    return given or told.folder() / "keys" / "checkpoint.json"


def _signing_key(given: Path | None) -> "PublisherKey":
    from services.publisher import PublisherKey  # noqa: PLC0415

    path = _signing_path(given)
    if not path.exists():
        raise FailureError(
            f"There is no key for checkpoints at {path}; make one with: twofold audit key --new"
        )
    return PublisherKey.load(path)


def _kept(files: Sequence[Path] | None) -> list[str]:
    from services.audit.notes import split  # noqa: PLC0415

    try:
        return [note for file in files or () for note in split(file.read_text(encoding="utf-8"))]
    except (OSError, UnicodeDecodeError):
        raise FailureError("A file of checkpoints can't be read.") from None


def _show_verified(found: "Sequence[Verified]") -> None:
    table(
        ("partition", "records", "fates", "heads", "covered", "clock", "running digest"),
        [
            (
                one.partition, one.tree.size,
                " ".join(f"{fate}={count}" for fate, count in sorted(one.fates.items())),
                len(one.state.heads), one.covered,
                f"{one.state.clock:%Y-%m-%d %H:%M:%S}", one.state.running[:32],
            )
            for one in found
        ],
    )  # fmt: skip


def _say_what_covers(
    found: "Sequence[Verified]",
    signed: "Sequence[Checkpoint]",
    refused: int,
    verifying: "VerificationKey | None",
    keys: "Keys",
) -> None:
    if verifying is None:
        typer.echo("No verification key: checkpoints weren't looked at.")
    else:
        matched = sum(one.matched for one in found)
        open_ones = sum(one.tree.size - one.covered for one in found)
        typer.echo(
            f"{matched} of {len(signed)} checkpoints agree; {open_ones} records came behind the"
            " last of them."
        )
    if refused:
        typer.echo(f"{refused} notes aren't checkpoints signed by this key; they prove nothing.")
    if keys is None:
        typer.echo("MACs weren't checked; what a checkpoint covers is as its signer judged it.")


def print_json(value: object) -> None:
    """Print *value* for programs."""
    typer.echo(json.dumps(value, indent=2))
