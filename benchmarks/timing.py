"""Timing many calls, some at once, and saying it in a table."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Measured:
    """
    One row.

    Attributes:
        what: Was called.
        at_once: Callers, each of which calls again as soon as it was answered.
        seconds: From the first call to the last answer.
        latencies: Seconds of each call.
    """

    what: str
    at_once: int
    seconds: float
    latencies: Sequence[float]

    def quantile(self, share: float) -> float:
        """The latency, in milliseconds, that *share* of the calls stayed below."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


async def measure(
    what: str, call: Callable[[int], Awaitable[object]], *, at_once: int, calls: int
) -> Measured:
    """Let *at_once* callers make *calls* calls between them; `call` is told who calls."""
    latencies: list[float] = []

    async def caller(number: int) -> None:
        for _ in range(calls // at_once):
            began = time.perf_counter()
            await call(number)
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*[caller(number) for number in range(at_once)])
    return Measured(what, at_once, time.perf_counter() - began, latencies)


def show(title: str, rows: Sequence[Measured]) -> None:
    """Print them."""
    table = Table(title=title)
    table.add_column("what")
    for name in ("at once", "calls", "per second", "mean ms", "median ms", "p99 ms", "worst ms"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.what,
            str(row.at_once),
            str(len(row.latencies)),
            f"{row.per_second:,.0f}",
            f"{statistics.mean(row.latencies) * 1000:.2f}",
            f"{row.quantile(0.5):.2f}",
            f"{row.quantile(0.99):.2f}",
            f"{row.quantile(1):.2f}",
        )
    Console(width=110).print(table)
