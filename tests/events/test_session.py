"""When a session holds."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from events.organisation import Organisation, Policy
from events.person import Person
from events.session import ABSOLUTE, IDLE, expires_at, is_fresh, why_ended
from events.staff import Role

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
STAFF = "00000000-0000-4000-8000-00000000000a"
OTHER = "00000000-0000-4000-8000-00000000000b"


@dataclass(frozen=True)
class Session:
    staff_id: str = STAFF
    role: Role = "staff"
    started: datetime = START
    two_factor: bool = True
    credential_version: int = 2
    ended: datetime | None = None
    last_seen: datetime = START


@dataclass(frozen=True)
class Loaded:
    person: Person
    organisation: Organisation


PERSON = Person(
    staff_id=STAFF,
    organisation_id=STAFF,
    username_digest="0" * 64,
    data_key=STAFF,
    details="x" * 16,
    role="staff",
    registered=START,
    credential_version=2,
)
ORGANISATION = Organisation(organisation_id=STAFF, name="Acme", registered=START)
LOADED = Loaded(PERSON, ORGANISATION)
NOW = START + timedelta(minutes=1)


class TestWhyEnded:
    def test_a_session_in_use_holds(self) -> None:
        assert why_ended(Session(), LOADED, NOW) is None

    def test_it_ends_with_a_logout(self) -> None:
        assert why_ended(Session(ended=NOW), LOADED, NOW) == "logged_out"

    def test_it_ends_when_its_person_is_deactivated(self) -> None:
        away = replace(LOADED, person=PERSON.model_copy(update={"active": False}))
        assert why_ended(Session(), away, NOW) == "deactivated"

    def test_it_holds_for_nobody_else(self) -> None:
        assert why_ended(Session(staff_id=OTHER), LOADED, NOW) == "deactivated"

    def test_it_ends_when_a_credential_moves(self) -> None:
        assert why_ended(Session(credential_version=1), LOADED, NOW) == "credentials_changed"

    @pytest.mark.parametrize(("then", "now"), [("staff", "support"), ("administrator", "staff")])
    def test_it_ends_when_its_person_is_given_another_role(self, then: Role, now: Role) -> None:
        other = replace(LOADED, person=PERSON.model_copy(update={"role": now}))
        assert why_ended(Session(role=then), other, NOW) == "role_changed"
        assert why_ended(Session(role=now), other, NOW) is None

    def test_it_does_not_come_back_with_the_role_that_it_had(self) -> None:
        """Somebody's session is stolen, they are no administrator for a moment, and are again."""
        again = PERSON.model_copy(update={"role": "administrator", "role_since": NOW})
        loaded = replace(LOADED, person=again)
        assert why_ended(Session(role="administrator"), loaded, NOW) == "role_changed"
        assert why_ended(Session(role="administrator", started=NOW), loaded, NOW) is None

    @pytest.mark.parametrize(
        ("now", "why"),
        [
            (START + timedelta(minutes=30, milliseconds=-1), None),
            (START + timedelta(minutes=30), "idle"),
            (START + timedelta(hours=10), "too_old"),
        ],
    )
    def test_it_ends_after_half_an_hour_unused(self, now: datetime, why: str | None) -> None:
        assert why_ended(Session(), LOADED, now) == why

    def test_it_ends_after_ten_hours_however_much_it_is_used(self) -> None:
        now = START + timedelta(hours=10)
        assert why_ended(Session(last_seen=now), LOADED, now) == "too_old"
        before = now - timedelta(milliseconds=1)
        assert why_ended(Session(last_seen=before), LOADED, before) is None

    def test_one_without_two_factors_ends_when_they_become_mandatory(self) -> None:
        policy = Policy(mandatory=True, effective=NOW)
        loaded = replace(LOADED, organisation=ORGANISATION.model_copy(update={"policy": policy}))
        session = Session(two_factor=False)
        assert why_ended(session, loaded, NOW - timedelta(milliseconds=1)) is None
        assert why_ended(session, loaded, NOW) == "two_factor_mandatory"

    def test_one_that_a_mandatory_policy_ended_does_not_come_back_with_another(self) -> None:
        policy = Policy(was_mandatory=START + timedelta(seconds=30))
        loaded = replace(LOADED, organisation=ORGANISATION.model_copy(update={"policy": policy}))
        assert why_ended(Session(two_factor=False), loaded, NOW) == "two_factor_mandatory"
        assert why_ended(Session(), loaded, NOW) is None
        later = Session(two_factor=False, started=START + timedelta(seconds=31))
        assert why_ended(later, loaded, NOW) is None
        assert why_ended(Session(), loaded, NOW) is None


def test_it_expires_at_the_earlier_of_both_limits() -> None:
    assert expires_at(Session()) == START + IDLE
    assert expires_at(Session(last_seen=START + ABSOLUTE)) == START + ABSOLUTE


def test_a_step_up_is_fresh_for_ten_minutes() -> None:
    assert is_fresh(START, START + timedelta(minutes=10, milliseconds=-1))
    assert not is_fresh(START, START + timedelta(minutes=10))
    assert not is_fresh(None, START)
