"""
The `twofold` command.

Each command imports what it needs when it runs, so that `--help` and every service start quickly.
A failure is one clear line on standard error and a non-zero exit status.
"""

import os
import sys
from typing import Final

_EXPECTED: Final = frozenset(
    {
        "events.keys.KeyRingError",
        "events.commands.UnreadableCommandError",
        "events.acceptance.HaltError",
        "events.log.broker.UnfitTopicError",
        "events.log.port.LogError",
        "infra.local.errors.StackError",
        "services.audit.replay.ReplayError",
        "services.cli.failures.FailureError",
        "services.demo.run.NotRunningError",
        "services.demo.world.NotShownError",
        "services.foundation.CannotStartError",
        "services.projections.port.ProjectionUnavailableError",
        "services.publisher.PublishError",
        "services.staff.publishers.PublishersError",
        "services.up.errors.UpError",
    }
)
"""Errors whose message is a sentence for whoever is at the terminal, by name: none is imported."""


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    from services.cli.app import app, usage_errors  # noqa: PLC0415 -- Slow to import.

    try:
        status = app(standalone_mode=False)
    except usage_errors() as error:
        status = 2
        _usage(error)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        # Whoever read our output has enough; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    except Exception as error:
        if os.environ.get("TWOFOLD_DEBUG"):
            raise
        _say(sentence(error))
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _usage(error: Exception) -> None:
    command = getattr(getattr(error, "ctx", None), "command_path", "twofold")
    message = getattr(error, "message", str(error))
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message, file=sys.stderr)  # noqa: T201 -- The help itself.
    else:
        _say(f"{getattr(error, 'format_message', lambda: message)()} (see: {command} --help)")


def sentence(error: BaseException) -> str:
    """What *error* says to a person, on one line."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    known = any(f"{c.__module__}.{c.__qualname__}" in _EXPECTED for c in type(error).__mro__)
    if known:
        return " ".join(str(error).split()) or type(error).__name__
    if type(error).__name__ == "ValidationError" and type(error).__module__ == "pydantic_core":
        fields = getattr(error, "errors")(include_input=False)  # noqa: B009 -- Not imported.
        names = sorted({f"TWOFOLD_{'.'.join(map(str, one['loc']))}".upper() for one in fields})
        return f"A setting can't be used: {', '.join(names)}; correct it in the environment."
    return (
        f"That failed unexpectedly ({type(error).__name__}); set TWOFOLD_DEBUG=1 and run it again"
        " for a traceback."
    )


def _say(text: str) -> None:
    print(f"twofold: {text}", file=sys.stderr)  # noqa: T201 -- This is what a command line is for.
