"""Commands by which an auditor needs to trust nobody: verify and checkpoint; and prove."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli import told
from services.cli.evidence import (
    Checkpoints,
    From,
    SigningKey,
    VerifyingKey,
    kept,
    mac_keys,
    print_json,
    progress_of,
    signing_key_of,
    signing_path,
    verification_key,
)
from services.cli.failures import FailureError
from services.cli.inspection import Json, history, table
from services.cli.proving import check_proof, prove

if TYPE_CHECKING:
    from services.audit.checkpoint import Checkpoint
    from services.audit.notes import VerificationKey
    from services.audit.verify import Keys, Verified

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

    With --from FILE no server is asked. Checkpoints are those beside the history, and those of
    --checkpoints. With --key, there must be one by that key; and where there is any, by whichever
    key, there must be one of each partition.
    """
    from services.audit.checkpoint import opened  # noqa: PLC0415
    from services.audit.verify import complaints  # noqa: PLC0415
    from services.audit.verify import verify as run  # noqa: PLC0415

    if proof is not None:
        check_proof(proof, key, as_json=as_json)
        return
    settings = told.settings()
    reading, keys = history(settings, source), mac_keys(settings, source, without=without_keys)
    verifying = verification_key(settings, key)
    signed, refused = (
        opened([*reading.notes, *kept(checkpoints)], verifying) if verifying else ([], 0)
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
        Path | None,
        typer.Option(help="Append them to this file as well; what it holds already, you kept."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """
    Sign what each partition's history is now, and publish it.

    Refused where the history contradicts an earlier checkpoint, where some partitions have one and
    others none, or where the history doesn't hold otherwise. Of those that you kept, what isn't
    published any more is published again.
    """
    from services.audit.checkpoint import opened, publish  # noqa: PLC0415
    from services.audit.notes import public_of  # noqa: PLC0415
    from services.audit.verify import complaints  # noqa: PLC0415
    from services.audit.verify import verify as run  # noqa: PLC0415
    from services.foundation import connection_of  # noqa: PLC0415

    settings = told.settings()
    private = signing_key_of(signing_key).private()
    name = f"twofold/{settings.environment}"
    reading, keys = history(settings, None), mac_keys(settings, None, without=False)
    public, beside = public_of(private, name), reading.notes
    files = list(checkpoints or ())
    if out is not None and _holds_something(out):
        files.append(out)
    signed, _ = opened([*beside, *kept(files)], public)
    with progress_of(reading) as progress:
        found = run(reading, keys, signed, progress.advance)
    for sentence in complaints(found):
        raise FailureError(f"Nothing was signed. {sentence}")
    fresh = [one.checkpoint(name) for one in found if one.covered < one.tree.size]
    notes = [one.sign(private) for one in fresh]
    if out is not None and notes:
        _append(out, notes)  # First of all: what is published isn't signed another time.
    published = set(opened(beside, public)[0])
    lost = [one for one in signed if one not in published]
    publish(
        connection_of(settings, database=False),
        [(one.partition, one.sign(private)) for one in (*lost, *fresh)],
    )
    if as_json:
        print_json(
            {
                "signed": [
                    one.to_json() | {"note": note} for one, note in zip(fresh, notes, strict=True)
                ],
                "published_again": [one.to_json() for one in lost],
            }
        )
        return
    if lost:
        typer.echo(f"{len(lost)} checkpoints that you kept weren't there, and were put back.")
    for one in fresh:
        typer.echo(f"{one.partition}: {one.next_offset} records, root {one.root.hex()}")
    if not fresh:
        typer.echo("Nothing has come since the last checkpoints, and nothing was signed.")


def _append(out: Path, notes: Sequence[str]) -> None:
    """
    Append *notes* to *out*, until they are on the disk; behind what was cut off, in a new line.

    Raises:
        FailureError: They can't be.
    """
    try:
        torn = _holds_something(out) and not out.read_bytes().endswith(b"\n")
        with out.open("a", encoding="utf-8") as file:
            file.writelines(["\n", *notes] if torn else notes)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FailureError(
            f"{out} can't be written: {error.strerror}. Nothing was published."
        ) from error


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
        PublisherKey(_KEY_ID, secrets.token_bytes(KEY_BYTES)).save(signing_path(signing_key))
    private = signing_key_of(signing_key).private()
    verifying = public_of(private, f"twofold/{settings.environment}")
    if as_json:
        print_json(
            {"key": str(verifying), "name": verifying.name, "public": verifying.public.hex()}
        )
    else:
        typer.echo(str(verifying))


COMMANDS: dict[str, Callable[..., None]] = {
    "verify": verify,
    "checkpoint": checkpoint,
    "key": key,
    "prove": prove,
}


def _holds_something(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


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
