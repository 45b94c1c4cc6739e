"""The command that answers an auditor's first question: what held then?"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli import told
from services.cli.evidence import From, print_json, progress_of
from services.cli.failures import FailureError
from services.cli.inspection import Json, history, identifier, moment

if TYPE_CHECKING:
    from events.facts import Position
    from services.audit.as_of import AsOf


def as_of(
    when: Annotated[
        str,
        typer.Argument(help="A moment (ISO 8601; UTC if unsaid) or generation:partition:offset."),
    ],
    person: Annotated[str | None, typer.Option(help="Whose state (staff id).")] = None,
    username: Annotated[
        str | None, typer.Option(help="Whose state, by the username that they had then.")
    ] = None,
    organisation: Annotated[
        str | None, typer.Option(help="Whose policy; with a person, theirs: it reads less.")
    ] = None,
    source: From = None,
    *,
    as_json: Json = False,
) -> None:
    """
    Show what held for a person or an organisation at a moment or behind a record.

    Was two-factor authentication mandatory, and was this person enrolled, at 14:02?
    """
    from events.vault.personal import username_digest  # noqa: PLC0415
    from services.audit.as_of import Wanted  # noqa: PLC0415
    from services.audit.as_of import as_of as run  # noqa: PLC0415
    from services.foundation import load_ring  # noqa: PLC0415

    if bool(person) + bool(username) > 1 or not (person or username or organisation):
        raise typer.BadParameter(
            "Name one person (by --person or by --username), or an --organisation."
        )
    settings = told.settings()
    ring = load_ring(settings)
    position = _position(when)
    wanted = Wanted(
        staff_id=identifier(person),
        username_digest=username_digest(username, ring.derive("username")) if username else None,
        organisation_id=identifier(organisation),
        position=position,
        at=None if position else moment(when),
    )
    reading = history(settings, source)
    with progress_of(reading) as progress:
        found = run(
            reading, ring.mac.keys, wanted, home=settings.home_organisation,
            advance=progress.advance,
        )  # fmt: skip
    if as_json:
        print_json(found.to_json())
    else:
        _show_as_of(found)


COMMANDS: dict[str, Callable[..., None]] = {"as-of": as_of}


def _position(text: str) -> "Position | None":
    """A position; None where it reads like a moment, which may have as many colons."""
    from events.facts import Position  # noqa: PLC0415

    try:
        datetime.fromisoformat(text)
    except ValueError:
        try:
            return Position.parse(text)
        except ValueError:
            raise FailureError(
                f"{text[:80]!r} is neither a moment like 2026-11-24T09:42 nor a position like"
                " generation:partition:offset."
            ) from None
    return None


def _show_as_of(found: "AsOf") -> None:
    where, who = found.organisation, found.person
    typer.echo(f"As of {found.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f" UTC, at {found.position}:")
    if where is not None:
        typer.echo(f"organisation  {where.organisation_id}, {told.visible(where.name)}")
        typer.echo(f"2FA there     {_policy(found)}")
        age = where.policy.max_age_days
        typer.echo(f"passwords     {f'expire after {age} days' if age else 'do not expire'}")
    if who is not None:
        active = "forgotten" if who.forgotten else "active" if who.active else "deactivated"
        factor = who.second_factor
        since = getattr(factor, "since", None)
        cause = getattr(factor, "cause", None)
        typer.echo(f"person        {who.staff_id}, {who.role}, {active}")
        typer.echo(
            f"2FA           {'on' if who.enrolled else 'off'}"
            + (f", since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ", never set up")
            + (f" ({cause}, by {getattr(factor, 'by', '')})" if cause else "")
        )
        password = f"set {who.password.since:%Y-%m-%d %H:%M:%S} UTC" if who.password else "none"
        typer.echo(f"password      {password}{', reset required' if who.reset_required else ''}")
    typer.echo("The last events that say so:")
    for one in found.evidence:
        event = one.type.removeprefix("twofold.")
        typer.echo(f"  {one.at:%Y-%m-%d %H:%M:%S} UTC  {one.position}  {event}  {one.stream}")


def _policy(found: "AsOf") -> str:
    policy = found.organisation.policy if found.organisation else None
    ahead = policy.mandatory_from(found.at) if policy else None
    if found.mandatory:
        return "mandatory"
    return f"optional, mandatory from {ahead:%Y-%m-%d %H:%M:%S} UTC" if ahead else "optional"
