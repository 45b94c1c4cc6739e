"""What a command refuses for, and how any failure is told to whoever is at the terminal."""

from typing import Final

from services.cli.told import visible

_EXPECTED: Final = frozenset(
    {
        "events.keys.KeyRingError",
        "events.commands.UnreadableCommandError",
        "events.records.HaltError",
        "events.log.broker.UnfitTopicError",
        "events.log.port.LogError",
        "events.log.reach.RefusedError",
        "infra.local.errors.StackError",
        "services.audit.history.AuditError",
        "services.audit.notes.NoteError",
        "services.cli.failures.FailureError",
        "services.demo.run.NotRunningError",
        "services.demo.world.NotShownError",
        "services.foundation.CannotStartError",
        "services.projections.refolding.HistoryCutError",
        "services.projections.rebuild.RebuildError",
        "services.projections.port.ProjectionUnavailableError",
        "services.publisher.PublishError",
        "services.staff.publishers.PublishersError",
        "services.up.errors.UpError",
    }
)
"""Errors whose message is a sentence for whoever is at the terminal, by name: none is imported."""


class FailureError(Exception):
    """The command didn't do what was asked; the message is one sentence."""


def is_expected(error: BaseException) -> bool:
    """Whether its message is written for people."""
    error = _only(error)
    return any(f"{c.__module__}.{c.__qualname__}" in _EXPECTED for c in type(error).__mro__)


def sentence(error: BaseException) -> str:
    """What *error* says to a person, on one line."""
    error = _only(error)
    if is_expected(error):
        # An outcome's, for one, is what anybody with access to Kafka wrote.
        return visible(" ".join(str(error).split())) or type(error).__name__
    if type(error).__name__ == "ValidationError" and hasattr(error, "errors"):
        fields = getattr(error, "errors")(include_input=False)  # noqa: B009 -- Not imported.
        whole = [one["msg"].removeprefix("Value error, ") for one in fields if not one["loc"]]
        if whole:  # Our own words about settings that don't go together.
            return " ".join(whole)
        told = {f"TWOFOLD_{'.'.join(map(str, one['loc']))}".upper(): one["msg"] for one in fields}
        return " ".join(
            f"{name} can't be used: {_said(why)}; correct it in the environment."
            for name, why in sorted(told.items())
        )
    if type(error).__name__ == "KafkaException":
        return f"Kafka can't be used ({error.args[0].str()}); is it where TWOFOLD_KAFKA says?"
    return (
        f"That failed unexpectedly ({type(error).__name__}); set TWOFOLD_DEBUG=1 and run it again"
        " for a traceback."
    )


def _said(why: str) -> str:
    """What pydantic, or a validator of ours, says of a value; it names none."""
    why = why.removeprefix("Value error, ")
    return why[:1].lower() + why[1:]


def _only(error: BaseException) -> BaseException:
    """The one error in a group of one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
