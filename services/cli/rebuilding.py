"""Commands that fold the projections afresh, and clear away what nobody reads any more."""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli import told
from services.cli.failures import FailureError
from services.cli.inspection import Json, Progress

if TYPE_CHECKING:
    from services.projections.rebuild import Rebuilt


def rebuild(
    *,
    patience: Annotated[float, typer.Option(help="Seconds without progress to give up after.")] = (
        120.0
    ),
    as_json: Json = False,
) -> None:
    """
    Fold the history afresh, beside what is read, and switch once it has caught up; no downtime.

    What was read before stays until: twofold projections prune
    """
    done = asyncio.run(_rebuild(patience))
    held_up = done.held_up.total_seconds()
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "schema": done.schema,
                    "previous": done.previous,
                    "records": done.records,
                    "held_up_seconds": round(held_up, 3),
                },
                indent=2,
            )
        )
        return
    typer.echo(
        f"{done.schema} is folded afresh, from {done.records} records; projectors waited"
        f" {held_up * 1000:.0f} ms. What was read before is {done.previous}."
    )


def prune(
    *,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also those that another version folds, or folded within a day."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Drop the schemas that this version doesn't read: from before rebuilds, of other versions."""
    from services.projections.leftovers import prune as run  # noqa: PLC0415

    dropped, used = asyncio.run(run(told.settings().database.get_secret_value(), force=force))
    if as_json:
        typer.echo(json.dumps({"dropped": dropped, "in_use": used}, indent=2))
    else:
        for place in dropped:
            typer.echo(f"Dropped {place}.")
        if not dropped and not used:
            typer.echo("There is nothing to drop.")
    if used:
        raise FailureError(f"Folded by somebody, or within a day: {', '.join(used)}; see --force.")


COMMANDS: dict[str, Callable[..., None]] = {"rebuild": rebuild, "prune": prune}


async def _rebuild(patience: float) -> "Rebuilt":
    from datetime import timedelta  # noqa: PLC0415

    from events import topics  # noqa: PLC0415
    from services.foundation import foundation  # noqa: PLC0415
    from services.projections.projector import Source  # noqa: PLC0415
    from services.projections.rebuild import rebuild as run  # noqa: PLC0415

    settings = told.settings()
    async with foundation(settings, "twofold/projections") as base:
        with Progress(0) as progress:
            return await run(
                settings.database.get_secret_value(),
                [
                    Source(topics.EVENTS.name, base.log),
                    Source(topics.STRANGERS.name, base.strangers_log, forgetful=True),
                ],
                base.vault_topic,
                base.ring,
                patience=timedelta(seconds=patience),
                advance=progress.stand,
            )
