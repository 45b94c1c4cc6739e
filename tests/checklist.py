"""
The checklist of what must hold against attackers, row by row, with what each test run has shown.

A test names the rows that it shows: `@pytest.mark.row(16, 17)`. `make attacks` runs all such tests
and ends with the checklist; `--thorough` adds those that take too long for every run of the suite
(`@pytest.mark.thorough`).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import pytest

ROWS: Final = {
    1: "the first screen says the same for every username",
    2: "the second always asks for password and code; one generic error",
    3: "both checks always run, real or dummy, then one decision",
    4: "an unknown username costs an argon2 like any other",
    5: "passwords: 15 to 128 characters, NFC, no composition rules",
    6: "known-bad passwords are refused offline, with the reason",
    7: "argon2id of 19 MiB or more, peppered; hashed again at a login where it is weaker",
    8: "length is checked before hashing; hashing is bounded",
    9: "passwords don't expire unless an organisation wants it",
    10: "that one has expired is told only after both factors",
    11: "reset links: 128 bits, stored hashed, once, 30 minutes, the newest, dead after any change",
    12: "GET on a link changes nothing; its host comes from the configuration",
    13: "enrolled: a current code before any choice; five wrong ones kill the link",
    14: "which choices there are is the server's decision",
    15: "no login after a reset; sessions, half-logins and links die",
    16: "TOTP: a random seed of 20 bytes, SHA-1, 6 digits, 30 s",
    17: "the current time-step and the one before, no other",
    18: "a code is six ASCII digits",
    19: "a code counts once, whatever for, however many race on whatever servers",
    20: "nobody learns an outcome before its event counts; a failure can't be raced past",
    21: "counters are a person's and a factor's, over all sessions, spellings and servers",
    22: "100 wrong codes in a row suspend the authenticator, and never switch it off",
    23: "a wrong password never touches the codes' counter; known devices have a lane",
    24: "right password, wrong code: the owner is told, the answer unchanged",
    25: "a new seed is pending until confirmed, the live one untouched",
    26: "setting up, replacing and disabling take password and a fresh code",
    27: "a seed is shown once, not stored, with a QR code of our own and as text",
    28: "once mandatory, sessions made without 2FA are refused everywhere",
    29: "who sets the policy has 2FA; the last administrator stays",
    30: "disabling by an administrator: own organisation, step-up, reason, notice, sessions end",
    31: "another organisation answers as what doesn't exist, and the try is logged",
    32: "after disabling under a mandatory policy one must enrol",
    33: "half-login, reset, enrolment and step-up tickets have a purpose and a version",
    34: "__Host- cookies, HttpOnly, Secure, SameSite; a new session at each change of privilege",
    35: "sessions: idle 30 min, absolute 10 h, on the server",
    36: "deactivated staff are out at once, everywhere",
    37: "a stale read can't become a wrong decision",
    38: "each vault entry is sealed under its own data key and bound to its place",
    39: "key-encryption keys rotate online; default keys are refused",
    40: "no password, hash, seed, code or token in events, logs, mails, dead letters",
    41: "no local variables and no inputs in logs and errors",
    42: "an unknown username is logged as a keyed digest",
    43: "Kafka: SASL_SSL, SCRAM-512 or mTLS, an ACL matrix, safe client settings",
    44: "commands are signed: organisation, target, actor, expiry and topic",
    45: "a command id counts once in its organisation; with other bytes it is rejected",
    46: "strict schemas: nothing unknown, twice, NUL, naive or huge",
    47: "poison goes to the dead letters within 5 s, without secrets, alarmed",
    48: "the consumer checks an administrator's rights as they are then",
    49: "folding from the start gives the same state and sends no mail",
    50: "event topics are never compacted or cut; no service can delete or alter them",
    51: "hash chain, Merkle tree and signed checkpoints, verified offline",
    52: "erasure destroys a person's key; the chain still verifies",
    53: "pages: CSP with nonces, no framing, no-store, HSTS",
    54: "CSRF tokens on login too; Origin and Sec-Fetch-Site; POST only",
    55: "pasting is allowed; autocomplete tells what each field is",
    56: "`next` leads to own pages alone",
    57: "a client's address comes from trusted proxies alone",
    58: "Kafka, database, mail or vault down: denied, recovered, no stack trace",
    59: "hashes and SBOM are shown; make audit-dependencies needs an advisory service",
    60: "no test hooks in production",
    61: "a flood fills its own share alone; slow and idle connections are cut off",
    62: "metrics, and why something isn't ready, are told on a port of their own",
    63: "a MAC key that was retired signs nothing more; what it signed before goes on counting",
}
"""What must hold, in short."""

SHOWN_BY: Final = {
    4: ("auth/adapters/test_passwords.py::test_nobodys_password_costs",),
    5: ("auth/domain/test_passwords.py",),
    6: ("auth/domain/test_passwords.py::test_known_bad",),
    7: ("auth/adapters/test_passwords.py", "auth/handlers/test_rehash.py", "TestHashingAgain"),
    8: ("auth/adapters/test_passwords.py::test_beyond_its_queue",),
    11: ("auth/web/test_new_passwords.py::TestLinks",),
    12: ("test_looking_at_a_link_does_not_spend_it",),
    14: ("auth/web/test_attacks.py::TestChoices",),
    16: ("auth/domain/test_totp.py",),
    17: ("auth/domain/test_totp.py::test_a_code_lives",),
    18: ("auth/domain/test_totp.py::test_what_is_not_six",),
    20: ("auth/web/test_logins.py::TestIdempotency",),
    21: ("auth/web/test_logins.py::TestPauses",),
    22: ("auth/web/test_attacks.py::TestGuessing",),
    26: ("test_password_and_code_are_asked_for_again_after_ten_minutes",),
    27: ("test_sets_a_password_and_an_authenticator",),
    33: ("auth/web/test_attacks.py::TestTickets",),
    34: (
        "test_each_is_for_this_host_alone",
        "test_a_login_opens_a_session_of_its_own",
        "auth/web/test_sessions.py::TestRenewing",
    ),
    35: ("tests/events/test_session.py", "services/staff/web/test_api.py::TestCallers"),
    37: ("tests/events/test_acceptance_races.py",),
    38: ("events/vault/test_sealing.py",),
    41: ("tests/services/test_logs.py", "web/test_plumbing.py::test_a_body_that_does_not_fit"),
    45: ("staff/test_consumer_crash.py", "test_of_another_publisher_are_told_as_its_own"),
    47: ("staff/test_consumer.py::TestDeadLetters", "staff/test_consumer_faults.py"),
    49: ("test_a_dropped_schema_is_folded_back_identical", "test_a_rebuild_sends_nothing"),
    51: ("test_a_log_that_is_not_the_one_it_folded",),
    52: ("test_with_a_forgotten_person_everything_of_theirs_goes",),
    53: ("test_surroundings.py::test_every_page_says",),
    54: ("test_every_form_refuses",),
    55: ("test_browsers_are_told_what_each_field_is_for", "test_the_code_may_be_pasted"),
    56: ("test_leads_to_our_own_pages_alone",),
    57: ("test_a_trusted_proxy_names_the_caller",),
    58: ("auth/web/test_faults.py", "test_an_outage_of_the_mail_server", "test_consumer_away.py"),
    61: (
        "auth/test_turns.py",
        "web/test_serving.py",
        "web/test_door.py",
        "test_acceptance.py::TestWhatAnybodyMadeUp",
    ),
    62: ("web/test_health.py",),
    63: ("tests/events/test_acceptance_keys.py::TestRetired",),
}
"""Tests elsewhere that show rows, too: parts of their ids, each enough by itself."""

NOT_YET: Final[dict[int, str]] = {
    59: "hashes and SBOM are shown; make audit-dependencies needs an advisory service",
}
"""Rows that are known not to hold, or not wholly, and why: a passing test doesn't change that."""

NOT_HERE: Final[dict[int, str]] = {}
"""Rows that can't be shown on one machine, and why."""

_results: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
_rows_of: dict[str, list[int]] = {}
_nowhere: set[tuple[int, str]] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="with what takes long")
    parser.addoption("--checklist", action="store_true", help="end with the attacks' checklist")


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "row(*numbers): shows these rows of the checklist (tests/checklist.py)",
        "quick: of the attacks on a whole system, one that every run of the suite has",
        "thorough: takes too long for every run of the suite; `make attacks` runs it",
    ):
        config.addinivalue_line("markers", line)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whatever shows a row is an attack; what takes long stays out unless asked for."""
    parts_of = {(row, part) for row, parts in SHOWN_BY.items() for part in parts}
    _nowhere.update((row, p) for row, p in parts_of if not any(p in one.nodeid for one in items))
    for item in items:
        rows = [int(row) for mark in item.iter_markers("row") for row in mark.args]
        for row, parts in SHOWN_BY.items():
            if row not in rows and any(part in item.nodeid for part in parts):
                rows.append(row)
        if rows:
            assert set(rows) <= ROWS.keys(), f"{item.nodeid} names a row that there isn't"
            _rows_of[item.nodeid] = rows
            item.add_marker(pytest.mark.attacks)
    if not config.getoption("--thorough"):
        long = [item for item in items if item.get_closest_marker("thorough")]
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=long)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        for row in _rows_of.get(report.nodeid, ()):
            _results[row][report.outcome].append(report.nodeid)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print it after everything that pytest prints itself."""
    if config.getoption("--checklist") and not config.getoption("--collect-only"):
        reporter: Any = config.pluginmanager.getplugin("terminalreporter")
        print("\n".join(_lines(reporter.verbosity > 0)))  # noqa: T201


def _lines(verbose: bool) -> Iterator[str]:
    yield "\nThe checklist\n"
    marks = {row: _mark(row) for row in ROWS}
    for row, (mark, why) in marks.items():
        yield f"{row:3} {mark:12} {ROWS[row]}" + (f" [{why}]" if why else "")
        if verbose:
            for outcome, tests in _results[row].items():
                yield from (f"        {outcome} {test}" for test in tests)
    for row, part in sorted(_nowhere):
        yield f"    No test here is called {part}, which was to show row {row}."
    held = [row for row, (mark, _) in marks.items() if mark == "holds"]
    rest: dict[str, list[str]] = defaultdict(list)
    for row, (mark, _) in marks.items():
        if mark != "holds":
            rest[mark].append(str(row))
    told = "; ".join(f"{mark}: {', '.join(rows)}" for mark, rows in rest.items())
    yield f"\n{len(held)} rows hold, {len(ROWS) - len(held)} don't{told and f' ({told})'}"


def _mark(row: int) -> tuple[str, str]:
    """The mark of a row, and why where that needs saying."""
    seen = _results[row]
    if seen["failed"]:
        return "doesn't hold", f"{len(seen['failed'])} failed, {seen['failed'][0]}"
    if row in NOT_HERE:
        return "not here", NOT_HERE[row]
    if row in NOT_YET:
        return "not wholly" if seen["passed"] else "doesn't hold", NOT_YET[row]
    if seen["passed"]:
        return "holds", ""
    return "not shown", "skipped" if seen["skipped"] else "no test ran"
