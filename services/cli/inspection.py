"""Commands that look, and change nothing."""

import asyncio
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from services.cli import told
from services.cli.failures import FailureError

if TYPE_CHECKING:
    from events.acceptance import Judged
    from services.audit.history import History
    from services.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

audit = typer.Typer(help="The history, judged from the log alone.", no_args_is_help=True)
projections = typer.Typer(help="What is folded from the history.", no_args_is_help=True)

GROUPS = {"audit": audit, "projections": projections}


@audit.callback()
@projections.callback()
def _group() -> None:
    """Keep the name of a single command."""


@audit.command()
def replay(
    organisation: Annotated[
        str | None, typer.Option(help="Only this organisation's records (its id).")
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="Only records about this person (their staff id).")
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only this type, such as login_attempted; may be repeated."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only records from this moment on (ISO 8601; UTC if unsaid).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only records before this moment (ISO 8601; UTC if unsaid).")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Read a dump instead of Kafka.")
    ] = None,
    dump: Annotated[
        Path | None,
        typer.Option(help="Write every record's exact bytes to this file (.gz: packed) instead."),
    ] = None,
    *,
    all_fates: Annotated[
        bool,
        typer.Option("--all-fates", help="Records that don't count too: superseded, expired, …"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Read the history from Kafka, judge each record by the acceptance rule, and show it."""
    from services.audit.replay import Replay, Wanted, line  # noqa: PLC0415
    from services.foundation import load_ring  # noqa: PLC0415

    settings = told.settings()
    wanted = Wanted(
        organisation=identifier(organisation),
        person=identifier(person),
        types=tuple(types or ()),
        since=moment(since),
        until=moment(until),
        all_fates=all_fates,
    )
    ring = load_ring(settings)
    reading = Replay(history(settings, source), ring)
    with Progress(reading.length) as progress:
        if dump is not None:
            written = reading.dump(dump, progress.advance)
            typer.echo(f"{written} records are in {dump}.")
            return
        if not as_json:
            typer.echo(_HEADER)
        shown = False
        for partition, judged in reading.run(wanted, progress.advance):
            shown = True
            if as_json:
                typer.echo(json.dumps(line(partition, judged)))
            else:
                typer.echo(told.visible(_row(partition, judged)))
    if not shown:
        typer.echo("No record fits.", err=True)


@projections.command()
def status(*, as_json: Json = False) -> None:
    """Show how far each partition is folded, what is halted, and who holds which lease."""
    from dataclasses import asdict  # noqa: PLC0415

    from services.foundation import connection_of  # noqa: PLC0415
    from services.projections.status import ProjectionsStatus  # noqa: PLC0415

    settings = told.settings()
    found = asyncio.run(
        ProjectionsStatus.read(settings.database.get_secret_value(), connection_of(settings))
    )
    if as_json:
        told_of = asdict(found)
        for one, partition in zip(told_of["partitions"], found.partitions, strict=True):
            one["lag"] = partition.lag
        typer.echo(json.dumps(told_of, default=str, indent=2))
    else:
        typer.echo(f"schema {found.schema}{'' if found.there else ' (not there)'}")
        table(
            ("topic", "partition", "next", "end", "lag", "clock", "quarantined", "halted"),
            [
                (
                    one.topic, one.partition,
                    "-" if one.next_offset is None else one.next_offset, one.end, one.lag,
                    f"{one.clock:%Y-%m-%d %H:%M:%S}" if one.clock else "-",
                    one.quarantined, one.halted or "",
                )
                for one in found.partitions
            ],
        )  # fmt: skip
        table(
            ("lease", "holder", "until"),
            [(o.name, o.owner[:8], f"{o.until:%H:%M:%S}") for o in found.leases if o.held],
        )
    if not found.there:
        raise FailureError(
            f"Schema {found.schema} of this version isn't there: start its twofold project."
        )
    if halted := [one for one in found.partitions if one.halted]:
        raise FailureError(f"{len(halted)} partition(s) are halted.")


def doctor(*, as_json: Json = False) -> None:
    """Check connections, topics, clocks, lag and the mail server; appends one tick to the log."""
    from dataclasses import asdict  # noqa: PLC0415

    from services.doctor.examine import examine  # noqa: PLC0415

    found = asyncio.run(examine(told.settings()))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        table(
            ("", "what", "found"),
            [("ok" if one.well else "NOT", one.what, one.detail) for one in found],
        )
    if wrong := [one.what for one in found if not one.well]:
        raise FailureError(f"Not well: {', '.join(dict.fromkeys(wrong))}.")


def history(settings: "Settings", source: Path | None) -> "History":
    """The history: a dump's where one is named, else Kafka's."""
    from services.audit.history import DumpedHistory, KafkaHistory  # noqa: PLC0415
    from services.foundation import connection_of  # noqa: PLC0415

    if source is not None:
        return DumpedHistory(source)
    return KafkaHistory(connection_of(settings, database=False))


class Progress:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, total: int) -> None:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

        self._bar = Progress(
            TextColumn("reading"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
            redirect_stdout=False,
        )
        self._task = self._bar.add_task("reading", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def expect(self, total: int) -> None:
        """How many there will be, once it is known."""
        self._bar.update(self._task, total=total)

    def stand(self, records: int, total: int) -> None:
        """How many of how many."""
        self._bar.update(self._task, completed=records, total=total)

    def advance(self, records: int) -> None:
        self._bar.advance(self._task, records)


_HEADER = f"{'append time (UTC)':<24} {'place':>9}  {'event':<28} {'stream':<88} what"


def _row(partition: int, judged: "Judged") -> str:
    from services.audit.replay import line  # noqa: PLC0415

    told_of = line(partition, judged)
    place = f"{partition}:{judged.record.offset}"
    event = str(told_of.get("type", "?")).removeprefix("twofold.")
    fate = "" if told_of["fate"] == "counted" else f"[{told_of['fate']}] "
    what = told_of.get("complaint") or _brief(told_of.get("data", {}))
    actor = f"by {told_of['actor']} " if "actor" in told_of else ""
    stream = told_of.get("stream", "-")
    return f"{told_of['append_time']:<24} {place:>9}  {event:<28} {stream:<88} {fate}{actor}{what}"


def _brief(data: dict[str, Any]) -> str:
    """An event's fields on one line; sealed ones say nothing, and are left out."""
    return " ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in data.items()
        if name not in {"source", "details", "old_email"} and not _is_sealed(value)
    )


def _is_sealed(value: object) -> bool:
    return isinstance(value, str) and len(value) > 64


def table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Show rows under their columns' names."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(told.visible(str(cell)) for cell in row))
    # Whoever reads it in a pipe gets whole lines.
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=200)
    console.print(shown)


def identifier(text: str | None) -> str | None:
    """
    An id as somebody types it.

    Raises:
        typer.BadParameter: It is none.
    """
    from events.streams import UUID  # noqa: PLC0415

    if text is None or re.fullmatch(UUID, text):
        return text
    raise typer.BadParameter(f"{text!r} is no id like 71ad45ce-456d-41ff-b981-b99f837a25aa.")


def moment(text: str | None) -> datetime | None:
    """
    A moment as somebody types it.

    Raises:
        typer.BadParameter: It is none.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment like 2026-11-24T09:42.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
