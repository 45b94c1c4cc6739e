"""Whether classes of answers can be told apart by their time: the samples' statistics."""

import math
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

Samples = Mapping[str, Sequence[float]]
"""Milliseconds by class."""


def interleaved(
    classes: Mapping[str, Callable[[int], float]], rounds: int, dice: random.Random
) -> dict[str, list[float]]:
    """Take *rounds* samples of each class, in another order each round."""
    taken: dict[str, list[float]] = {name: [] for name in classes}
    for number in range(rounds):
        for name in dice.sample(list(classes), len(classes)):
            taken[name].append(classes[name](number))
    return taken


@dataclass(frozen=True, slots=True)
class Pair:
    """
    Two classes.

    Attributes:
        gap_ms: Between their medians.
        p: Of Mann–Whitney's U, two-sided, after Holm's correction over all pairs.
    """

    one: str
    other: str
    gap_ms: float
    p: float


def compared(samples: Samples) -> list[Pair]:
    """Every pair of classes, the likeliest to differ first."""
    pairs = list(combinations(samples, 2))
    raw = sorted((mann_whitney(samples[a], samples[b]), a, b) for a, b in pairs)
    found, highest = [], 0.0
    for rank, (p, a, b) in enumerate(raw):
        highest = max(highest, min(1.0, p * (len(pairs) - rank)))
        gap = abs(statistics.median(samples[a]) - statistics.median(samples[b]))
        found.append(Pair(a, b, gap, highest))
    return found


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """
    Two-sided p of Mann–Whitney's U by the normal approximation, corrected for ties.

    Good from about 20 samples a side on (Mann & Whitney 1947).
    """
    n, m = len(one), len(other)
    both = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks, ties, start = 0.0, 0.0, 0
    while start < len(both):
        end = start
        while end < len(both) and both[end][0] == both[start][0]:
            end += 1
        rank = (start + 1 + end) / 2
        ranks += rank * sum(side == 0 for _, side in both[start:end])
        ties += (end - start) ** 3 - (end - start)
        start = end
    total = n + m
    spread = math.sqrt(n * m / 12 * (total + 1 - ties / (total * (total - 1))))
    distance = max(abs(ranks - n * (n + 1) / 2 - n * m / 2) - 0.5, 0)
    return math.erfc(distance / spread / math.sqrt(2)) if spread else 1.0


def told(title: str, samples: Samples) -> Iterator[str]:
    """What was measured, for people."""
    yield f"{title}: {len(next(iter(samples.values())))} interleaved samples a class, milliseconds"
    for name, taken in samples.items():
        cuts = statistics.quantiles(taken, n=20)
        yield f"  {name:34} median {statistics.median(taken):7.2f}  p5 {cuts[0]:7.2f}  p95 {cuts[-1]:7.2f}"  # fmt: skip  # noqa: E501
    pairs = compared(samples)
    yield f"  widest gap of medians {max(pair.gap_ms for pair in pairs):.2f}"
    yield "  Mann-Whitney U, two-sided, Holm over all pairs; the likeliest to differ:"
    for pair in pairs[:4]:
        yield f"    p {pair.p:.2g}  gap {pair.gap_ms:.2f}  {pair.one} / {pair.other}"
