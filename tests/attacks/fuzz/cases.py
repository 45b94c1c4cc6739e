"""How many cases are tried: all of them for `make attacks`, few in every run of the suite."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

SHARE_IN_SUITE: Final = 100
"""One case of so many is tried in every run of the suite."""

Try = Callable[[int, SearchStrategy[Any], Callable[[Any], None]], None]
"""`attempt(cases, strategy, check)`: check that many cases."""


def attempt(
    cases: int, strategy: SearchStrategy[T], check: Callable[[T], None], *, thorough: bool
) -> None:
    """Let *check* look at so many of *strategy*'s cases, or at a share of them."""
    tried = 0

    @settings(
        max_examples=cases if thorough else max(50, cases // SHARE_IN_SUITE),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def look(case: T) -> None:
        nonlocal tried
        tried += 1
        check(case)

    look()
    print(f"{tried} cases")  # noqa: T201 -- pytest shows it where asked.
