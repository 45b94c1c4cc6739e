"""One system for the whole run of these tests, each of which leaves it running."""

from collections.abc import Callable, Iterator

import pytest

from services.demo.flows import World
from tests.faults.system import System, running
from tests.stack import stack_folder


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """Give the whole system, as `make run` brings it up."""
    with stack_folder() as folder, running(folder) as one:
        yield one


@pytest.fixture
def world(system: System) -> Iterator[World]:
    """Give what can be reached of it from outside."""
    made = system.world()
    yield made
    made.close()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Give a function that prints a row of a table on the terminal, past pytest's capturing."""
    capturing = request.config.pluginmanager.getplugin("capturemanager")
    reporter = request.config.pluginmanager.getplugin("terminalreporter")

    def say(*columns: object, widths: tuple[int, ...] = (46, 34)) -> None:
        padded = [f"{column!s:<{width}}" for column, width in zip(columns, widths, strict=False)]
        line = "  ".join([*padded, *(str(one) for one in columns[len(widths) :])]).rstrip()
        if capturing is None or reporter is None:
            return
        with capturing.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"  {line}")

    return say
