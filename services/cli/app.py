"""The commands, and what `--help` says of them."""

import typer

from services.cli import (
    administration,
    as_of,
    auditing,
    inspection,
    protection,
    rebuilding,
    registering,
    running,
)

app = typer.Typer(
    name="twofold",
    help="Two-factor authentication for staff: services, admin commands, audit.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in running.COMMANDS:
    app.command()(command)
app.command()(inspection.doctor)
for name, changes in rebuilding.COMMANDS.items():
    inspection.projections.command(name)(changes)
for name, makes in registering.COMMANDS.items():
    administration.keys.command(name)(makes)
for name, audits in {**auditing.COMMANDS, **as_of.COMMANDS}.items():
    inspection.audit.command(name)(audits)
for name, group in (
    *administration.GROUPS.items(),
    *inspection.GROUPS.items(),
    *protection.GROUPS.items(),
):
    app.add_typer(group, name=name)


def usage_errors() -> type[Exception]:
    """What typer raises for a command line that it can't make sense of."""
    return next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
