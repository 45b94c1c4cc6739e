"""Who holds a username, and what is known of one that nobody holds."""

from events import stranger, streams, username
from events.staff import LoginAttempted
from events.stranger import Stranger
from events.username import Claim, UsernameClaimed, UsernameReleased
from tests.events import folding
from tests.events.records import later, uuid

ORGANISATION, STAFF = uuid(), uuid()
STREAM = streams.username("a" * 64)
CLAIMED = UsernameClaimed(
    organisation_id=ORGANISATION, staff_id=STAFF, registration_deadline=later(30)
)
RELEASED = UsernameReleased(organisation_id=ORGANISATION, staff_id=STAFF)


class TestClaim:
    def test_the_claim_carries_the_registrations_deadline(self) -> None:
        claim = folding.fold(username.evolve, None, folding.counted(STREAM, CLAIMED))
        assert claim == Claim(
            organisation_id=ORGANISATION, staff_id=STAFF, registration_deadline=later(30)
        )

    def test_a_released_name_is_nobodys(self) -> None:
        events = [folding.counted(STREAM, fact) for fact in (CLAIMED, RELEASED)]
        assert folding.fold(username.evolve, None, *events) is None

    def test_nothing_else_moves_it(self) -> None:
        login = LoginAttempted(outcome="wrong_password", source="s" * 32)
        assert username.evolve(None, folding.counted(STREAM, login)) is None
        held = username.evolve(None, folding.counted(STREAM, CLAIMED))
        assert username.evolve(held, folding.counted(STREAM, login)) == held


class TestStranger:
    def test_failures_count_as_a_known_persons_do(self) -> None:
        login = LoginAttempted(outcome="wrong_password", source="s" * 32)
        events = [folding.counted(streams.stranger("a" * 64), login, at) for at in range(3)]
        known = folding.fold(stranger.evolve, Stranger(), *events)
        assert known.failed_logins.in_a_row == 3
        assert known.failed_logins.recent == (later(0), later(1), later(2))

    def test_nothing_else_counts(self) -> None:
        event = folding.counted(STREAM, RELEASED)
        assert stranger.evolve(Stranger(), event) == Stranger()
