"""Partitions of commands that stand still, told to operators: a gauge, and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Gauge

STOPPED = Gauge(
    "twofold_commands_stopped", "1 while a partition's next command waits", ["partition"]
)


@dataclass(frozen=True, slots=True)
class Stop:
    """
    A partition that stands still.

    Attributes:
        partition: Of the commands' topic.
        offset: Of the command that waits; None where none is read yet.
        why: A word or two, of ours.
    """

    partition: int
    offset: int | None
    why: str

    def __str__(self) -> str:
        at = "before its next command" if self.offset is None else f"at offset {self.offset}"
        return f"Commands of partition {self.partition} wait {at}: {self.why}."


class Stops:
    """What stands still now, of what this process deals with."""

    def __init__(self) -> None:
        self._now: dict[int, Stop] = {}

    def waits(self, partition: int, why: str, offset: int | None = None) -> None:
        """The partition stands still; where it did already, at the offset told then, if none is."""
        before = self._now.get(partition)
        if offset is None and before is not None:
            offset = before.offset
        self._now[partition] = Stop(partition, offset, why)
        STOPPED.labels(str(partition)).set(1)

    def goes_on(self, partition: int) -> None:
        """It doesn't, or it is another process's."""
        self._now.pop(partition, None)
        STOPPED.labels(str(partition)).set(0)

    def sentences(self) -> Sequence[str]:
        """One for each, in order."""
        return [str(stop) for _, stop in sorted(self._now.items())]
