"""Tickets: sealed for one purpose, of one length, in one spelling, for their time."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from events import keys
from services.auth.domain.errors import TicketDeadError
from services.auth.domain.password_change import Change
from services.auth.tickets import (
    DERIVED_LENGTH,
    DEVICE_LIVES,
    LOGIN_LIVES,
    Candidate,
    OpenedChange,
    Tickets,
)

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
TICKETS = Tickets(keys.generate())


def opened(link: str | None = None, version: int = 3) -> OpenedChange:
    origin = "link" if link else "expired"
    expires = NOW + timedelta(minutes=30)
    return OpenedChange(
        str(uuid4()),
        Change(str(uuid4()), version, origin, link, expires),  # type: ignore[arg-type]
    )


def test_what_is_sealed_comes_back() -> None:
    assert TICKETS.open_login(TICKETS.login("0" * 64, NOW), NOW) == "0" * 64
    for change in (opened(), opened(str(uuid4()), 10**6)):
        assert TICKETS.open_change("change", TICKETS.change("change", change), NOW) == change
    shown = Candidate(str(uuid4()), str(uuid4()), str(uuid4()), b"s" * 20)
    expires = NOW + timedelta(minutes=1)
    assert TICKETS.open_candidate(TICKETS.candidate(shown, expires), NOW) == shown


def test_a_purpose_has_one_length() -> None:
    changes = (opened(), opened(str(uuid4())), opened(str(uuid4()), 10**9))
    assert len({len(TICKETS.change("change", change)) for change in changes}) == 1


def test_none_is_another_purposes() -> None:
    change = TICKETS.change("expired", opened())
    with pytest.raises(TicketDeadError):
        TICKETS.open_change("change", change, NOW)
    with pytest.raises(TicketDeadError):
        TICKETS.open_login(change, NOW)
    with pytest.raises(TicketDeadError):
        TICKETS.open_candidate(TICKETS.login("0" * 64, NOW), NOW)


def test_another_servers_keys_open_nothing() -> None:
    with pytest.raises(TicketDeadError):
        Tickets(keys.generate()).open_login(TICKETS.login("0" * 64, NOW), NOW)


def test_each_dies_in_its_time() -> None:
    login, last = TICKETS.login("0" * 64, NOW), timedelta(milliseconds=1)
    assert TICKETS.open_login(login, NOW + LOGIN_LIVES - last)
    with pytest.raises(TicketDeadError):
        TICKETS.open_login(login, NOW + LOGIN_LIVES)
    owner = str(uuid4())
    device = TICKETS.device(owner, "d", NOW)
    assert TICKETS.known_device(device, owner, NOW + DEVICE_LIVES - last) == "d"
    assert TICKETS.known_device(device, owner, NOW + DEVICE_LIVES) is None


def test_a_device_is_its_owners_alone() -> None:
    owner = str(uuid4())
    device = TICKETS.device(owner, "d", NOW)
    assert TICKETS.known_device(device, str(uuid4()), NOW) is None
    assert TICKETS.known_device(None, owner, NOW) is None
    assert TICKETS.known_device(TICKETS.login("0" * 64, NOW), owner, NOW) is None


@pytest.mark.parametrize("text", ["", "x", "=", "ä" * 40, "x" * 10_000, "a b", "\ud800"])
def test_nonsense_is_dead_and_no_error(text: str) -> None:
    with pytest.raises(TicketDeadError):
        TICKETS.open_login(text, NOW)


def test_there_is_one_spelling() -> None:
    login = TICKETS.login("0" * 64, NOW)
    for other in (login + "=", login + "==", " " + login, login[:20] + "\n" + login[20:]):
        with pytest.raises(TicketDeadError):
            TICKETS.open_login(other, NOW)


def test_derived_ones_can_be_made_again_and_differ_by_purpose() -> None:
    subject = str(uuid4())
    assert TICKETS.link(subject) == TICKETS.link(subject)
    assert TICKETS.link(subject) != TICKETS.session(subject)
    assert len(TICKETS.link(subject)) == len(TICKETS.session(subject)) == DERIVED_LENGTH
