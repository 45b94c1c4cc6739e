"""pytest's part of the sweep: `--sweep` starts it, and the run fails where it finds anything."""

import sys

import pytest

from tests.sweep import searching
from tests.sweep.searching import Sweep

if "--sweep" in sys.argv:
    # Not in pytest_configure: other folders' conftests would have loaded the services by then.
    searching.running = Sweep()
    searching.running.start()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--sweep", action="store_true", help="search for every secret wherever the run left traces"
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What tests print is what the services, run in the tests' process, log."""
    if searching.running is not None and report.when == "teardown":
        searching.running.keep("".join(text for _, text in report.sections))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search what is left; anything found fails the run."""
    sweep = searching.running
    if sweep is None:
        return
    sweep.search(sweep.printed)
    session.config.stash[_TOLD] = _told(sweep)
    if sweep.found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash.get(_TOLD, []):
        terminalreporter.write_line(line)


def pytest_unconfigure() -> None:
    if searching.running is not None:
        searching.running.close()
        searching.running = None


_TOLD = pytest.StashKey[list[str]]()


def _told(sweep: Sweep) -> list[str]:
    told = (
        f"sweep: {len(sweep.secrets())} secrets, {len(sweep.spelt())} spellings, searched for in"
        f" {sweep.searched / 1e6:.0f} MB: {len(sweep.found) or 'nothing'} found"
    )
    found = [f"  {what}, {len(all_)} times: {all_[0]!r}" for what, all_ in sweep.found.items()]
    return [told, *found[:100]]
