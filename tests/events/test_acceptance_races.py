"""Interleavings that broke an earlier text of the design, each with the records that race."""

from datetime import datetime

from events import marks, streams
from events.facts import Draft, Fact
from events.log.proposal import Batch, Proposal, Signer
from events.organisation import OrganisationRegistered, TwoFactorPolicyChanged
from events.records import Fate
from events.staff import (
    LoginAttempted,
    PasswordSet,
    RoleChanged,
    StaffRegistered,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from events.username import UsernameClaimed, UsernameReleased
from tests.events.records import KEY, KEY_ID, START, Partition, later, uuid

SEALED, DIGEST = "s" * 32, "d" * 64
LOGIN = LoginAttempted(outcome="succeeded", source=SEALED, time_step=100)
PASSWORD = PasswordSet(credential=uuid(), choice="no_thanks", origin="link", link=uuid())
DECLINED = TwoFactorDisabled(cause="declined")
ENROLLED = TwoFactorEnrolled(authenticator=uuid(), method="totp", time_step=100)
DEMOTED = RoleChanged(role="staff", reason=SEALED)
MANDATORY = TwoFactorPolicyChanged(mandatory=True, reason="Asked for.")


class Agency:
    """An organisation with two administrators and one member of staff, on one partition."""

    def __init__(self) -> None:
        self.partition = Partition()
        self.id = uuid()
        self.organisation = streams.organisation(self.id)
        self.staff, self.first, self.second = uuid(), uuid(), uuid()
        self.account, self.codes = self.account_of(self.staff), streams.codes(self.id, self.staff)
        joined = StaffRegistered(
            username_digest=DIGEST, data_key=uuid(), details=SEALED, role="administrator"
        )
        self.put(self.decide({self.organisation: OrganisationRegistered(name="Agency")}))
        for person in (self.staff, self.first, self.second):
            self.put(self.decide({self.account_of(person): joined}))

    def account_of(self, person: str) -> str:
        return streams.account(self.id, person)

    def decide(
        self,
        facts: dict[str, Fact] | list[tuple[str, Fact]],
        basis: tuple[str, ...] = (),
        *,
        now: datetime = START,
        lapses: datetime | None = None,
    ) -> Batch:
        """A decision on everything that has counted so far, not yet in the log."""
        pairs = facts.items() if isinstance(facts, dict) else facts
        proposal = Proposal(
            drafts=[Draft(stream, fact) for stream, fact in pairs],
            basis=basis,
            heads=dict(self.partition.state.heads),
            clock=self.partition.state.clock,
            event_id=uuid(),
            actor="system",
            correlation_id="request-1",
            lapses=lapses,
        )
        return Signer("twofold/tests", KEY_ID, KEY, 1).batch(proposal, now)

    def put(self, batch: Batch, at: float = 0) -> list[Fate]:
        return [self.partition.put(value, at).fate for value in batch.values]


def test_one_code_on_two_servers_logs_in_once() -> None:
    agency = Agency()
    tries = [agency.decide({agency.codes: LOGIN}, (agency.account,)) for _ in range(50)]
    fates = [agency.put(one)[0] for one in tries]
    assert fates == [Fate.COUNTED] + [Fate.SUPERSEDED] * 49


def test_no_thanks_against_a_policy_that_became_mandatory_tears_nothing() -> None:
    """The password must not be set where the declining beside it doesn't count."""
    agency = Agency()
    no_thanks = agency.decide(
        [(agency.account, PASSWORD), (agency.account, DECLINED)],
        (agency.organisation, agency.codes),
    )
    agency.put(agency.decide({agency.organisation: MANDATORY}))
    assert agency.put(no_thanks) == [Fate.SUPERSEDED] * 2


def test_no_thanks_decided_before_a_policys_start_does_not_count_after_it() -> None:
    """The start makes no event that would move a head; the deadline stands in for it."""
    agency = Agency()
    no_thanks = agency.decide(
        [(agency.account, PASSWORD), (agency.account, DECLINED)],
        (agency.organisation,),
        lapses=later(5),
    )
    assert agency.put(no_thanks, at=5.001) == [Fate.EXPIRED] * 2


def test_an_enrolment_and_a_login_with_its_code_do_not_both_count() -> None:
    for enrolment_first in (True, False):
        agency = Agency()
        enrolment = agency.decide({agency.account: ENROLLED}, (agency.organisation, agency.codes))
        login = agency.decide({agency.codes: LOGIN}, (agency.account, agency.organisation))
        order = [enrolment, login] if enrolment_first else [login, enrolment]
        assert [agency.put(one)[0] for one in order] == [Fate.COUNTED, Fate.SUPERSEDED]


def test_a_command_that_was_rejected_is_never_accepted() -> None:
    """Rejected, the consumer dies, the person enrols, the command comes again."""
    agency = Agency()
    command = streams.command(agency.id, "publisher", "cmd-1")
    rejected = marks.CommandRejected(
        name="disable_two_factor", digest=DIGEST, reason="not-enrolled", detail="Not enrolled."
    )
    accepted = marks.CommandAccepted(name="disable_two_factor", digest=DIGEST)
    before = agency.decide([(command, accepted), (agency.account, DECLINED)])
    assert agency.put(agency.decide({command: rejected})) == [Fate.COUNTED]
    assert agency.put(before) == [Fate.SUPERSEDED] * 2


def test_two_demotions_leave_one_administrator() -> None:
    """Each relies on the other remaining one."""
    agency = Agency()
    first, second = agency.account_of(agency.first), agency.account_of(agency.second)
    demotions = [
        agency.decide({first: DEMOTED}, (second,)),
        agency.decide({second: DEMOTED}, (first,)),
    ]
    assert [agency.put(one)[0] for one in demotions] == [Fate.COUNTED, Fate.SUPERSEDED]


def test_a_demoted_administrators_stale_act_does_not_count() -> None:
    agency = Agency()
    actor = agency.account_of(agency.first)
    act = agency.decide({agency.account: DECLINED}, (actor,))
    agency.put(agency.decide({actor: DEMOTED}))
    assert agency.put(act) == [Fate.SUPERSEDED]


def test_what_was_answered_not_done_never_counts() -> None:
    """A paused server wakes, or a lost batch arrives, once a tick is past the deadline."""
    agency = Agency()
    late = agency.decide({agency.codes: LOGIN}, (agency.account,))
    tick = agency.decide({streams.log(0): marks.Tick()}, now=later(11))
    assert agency.put(tick, at=11) == [Fate.TICK]
    assert agency.put(late, at=9) == [Fate.EXPIRED]


def test_a_repeated_batch_counts_once_even_when_it_comes_in_parts() -> None:
    agency = Agency()
    batch = agency.decide([(agency.account, PASSWORD), (agency.account, ENROLLED)])
    assert agency.put(batch) == [Fate.COUNTED] * 2
    assert agency.partition.put(batch.values[1]).fate is Fate.SUPERSEDED
    assert agency.put(batch) == [Fate.SUPERSEDED] * 2


def test_the_second_record_of_a_batch_alone_never_counts() -> None:
    agency = Agency()
    batch = agency.decide([(agency.account, PASSWORD), (agency.codes, LOGIN)])
    assert agency.partition.put(batch.values[1]).fate is Fate.SUPERSEDED


def test_a_username_has_one_holder_through_claims_and_releases() -> None:
    agency = Agency()
    name = streams.username("a" * 64)

    def claimed(staff: str) -> UsernameClaimed:
        return UsernameClaimed(
            organisation_id=agency.id, staff_id=staff, registration_deadline=later(30)
        )

    one, other = (
        agency.decide({name: claimed(person)}) for person in (agency.first, agency.second)
    )
    assert [agency.put(claim)[0] for claim in (one, other)] == [Fate.COUNTED, Fate.SUPERSEDED]
    released = UsernameReleased(organisation_id=agency.id, staff_id=agency.first)
    releases = [agency.decide({name: released}) for _ in range(2)]
    again = agency.decide({name: claimed(agency.first)})
    assert agency.put(again) == [Fate.COUNTED]
    assert [agency.put(release)[0] for release in releases] == [Fate.SUPERSEDED] * 2


class TestTheBrokersClock:
    def test_a_jump_that_a_deadline_can_bridge_costs_nothing(self) -> None:
        agency = Agency()
        agency.partition.put(b"while the clock was ahead", at=45)
        assert agency.put(agency.decide({agency.codes: LOGIN}), at=0) == [Fate.COUNTED]

    def test_a_longer_jump_lets_nothing_count_until_time_catches_up(self) -> None:
        """`doctor` and a metric alarm on the difference; no server opens anything meanwhile."""
        agency = Agency()
        agency.partition.put(b"while the clock was ahead", at=3600)
        assert agency.put(agency.decide({agency.codes: LOGIN}), at=0) == [Fate.MALFORMED]
        caught_up = agency.decide({agency.codes: LOGIN}, now=later(3601))
        assert agency.put(caught_up, at=3601) == [Fate.COUNTED]
