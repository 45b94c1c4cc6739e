"""How thoroughly this run tries."""

from functools import partial

import pytest

from tests.attacks.fuzz.cases import Try, attempt


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Try:
    """Give `tried(cases, strategy, check)`; with --thorough it means that many cases."""
    return partial(attempt, thorough=request.config.getoption("--thorough"))
