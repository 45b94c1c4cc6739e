"""What the auditor's commands share: where evidence comes from, and whose keys are believed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli import told
from services.cli.failures import FailureError
from services.cli.inspection import Progress

if TYPE_CHECKING:
    from services.audit.history import History
    from services.audit.notes import VerificationKey
    from services.audit.verify import Keys
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


def progress_of(reading: "History") -> Progress:
    """How far the reading of a history got, on standard error."""
    return Progress(sum(span.end - span.start for span in reading.spans))


def mac_keys(settings: "Settings", source: Path | None, *, without: bool) -> "Keys":
    """The MAC keys; None where the dump's word is taken."""
    from services.foundation import load_ring  # noqa: PLC0415

    if without:
        if source is None:
            raise FailureError("Without a key ring, only a dump can be verified: --from FILE.")
        return None
    if source is not None and not settings.keys.exists():
        raise FailureError(
            f"There is no key ring at {settings.keys}; set TWOFOLD_KEYS, or let audit verify take"
            " the dump's word by --without-keys."
        )
    return load_ring(settings).mac.keys


def verification_key(settings: "Settings", given: str | None) -> "VerificationKey | None":
    from services.audit.notes import VerificationKey, public_of  # noqa: PLC0415

    if given is not None:
        return VerificationKey.given(given)
    if not signing_path(None).exists():
        return None
    return public_of(signing_key_of(None).private(), f"twofold/{settings.environment}")


def signing_path(given: Path | None) -> Path:
    return given or told.folder() / "keys" / "checkpoint.json"


def signing_key_of(given: Path | None) -> "PublisherKey":
    from services.publisher import PublisherKey  # noqa: PLC0415

    path = signing_path(given)
    if not path.exists():
        raise FailureError(
            f"There is no key for checkpoints at {path}; make one with: twofold audit key --new"
        )
    return PublisherKey.load(path)


def kept(files: Sequence[Path] | None) -> list[str]:
    from services.audit.notes import split  # noqa: PLC0415

    found: list[str] = []
    for file in files or ():
        try:
            notes = split(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise FailureError(f"{file} can't be read as a file of checkpoints.") from None
        if not notes:
            raise FailureError(f"{file} holds no checkpoint.")
        found += notes
    return found


def print_json(value: object) -> None:
    """Print *value* for programs."""
    typer.echo(json.dumps(value, indent=2))
