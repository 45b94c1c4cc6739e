"""
The `twofold` command.

Each command imports what it needs when it runs, so that `--help` and every service start quickly.
A failure is one clear line on standard error and a non-zero exit status.
"""

import os
import sys

from services.cli.failures import sentence


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    from services.cli.app import app, usage_errors  # noqa: PLC0415 -- Slow to import.

    try:
        status = app(standalone_mode=False, prog_name="twofold")
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


def _say(text: str) -> None:
    print(f"twofold: {text}", file=sys.stderr)  # noqa: T201 -- This is what a command line is for.
