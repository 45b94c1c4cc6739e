"""A decision's events on the wire: they count together or not at all."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from events import envelope, streams
from events.canonical import digest
from events.facts import Draft
from events.log.proposal import PATIENCE, Proposal, Signer
from events.staff import PasswordSet, TwoFactorDisabled, TwoFactorEnrolled
from tests.events.records import KEY, KEY_ID, KEYS, START, later, uuid

ORGANISATION, STAFF = uuid(), uuid()
ACCOUNT, CODES = streams.account(ORGANISATION, STAFF), streams.codes(ORGANISATION, STAFF)
POLICY, LINKS = streams.organisation(ORGANISATION), streams.links(ORGANISATION, STAFF)
SIGNER = Signer("twofold/auth", KEY_ID, KEY, 6)

PASSWORD = PasswordSet(credential=uuid(), choice="setup_new", origin="link", link=uuid())
ENROLLED = TwoFactorEnrolled(authenticator=uuid(), method="totp", time_step=7)
PROPOSAL = Proposal(
    drafts=[Draft(ACCOUNT, PASSWORD), Draft(ACCOUNT, ENROLLED)],
    basis=[POLICY, CODES, LINKS],
    heads={ACCOUNT: "a" * 64, POLICY: "b" * 64, CODES: "c" * 64},
    clock=START,
    event_id="event-1",
    actor="anonymous",
    correlation_id="request-1",
    causation_id="command-1",
)


def test_the_first_record_carries_every_condition() -> None:
    """A condition on a later one alone would tear the decision: it could fail after the first."""
    first = envelope.read(SIGNER.batch(PROPOSAL, START).values[0])
    assert first.previous == "a" * 64
    assert first.basis == {POLICY: "b" * 64, CODES: "c" * 64, LINKS: None}


def test_a_later_record_follows_the_first() -> None:
    batch = SIGNER.batch(PROPOSAL, START)
    second = envelope.read(batch.values[1])
    assert second.previous == batch.digests[0]
    assert second.basis == {}


def test_a_later_record_of_another_stream_names_the_first() -> None:
    drafts = [Draft(ACCOUNT, PASSWORD), Draft(CODES, ENROLLED), Draft(CODES, ENROLLED)]
    batch = SIGNER.batch(replace(PROPOSAL, drafts=drafts), START)
    first, second, third = (envelope.read(value) for value in batch.values)
    assert first.basis[CODES] == "c" * 64
    assert (second.previous, second.basis) == ("c" * 64, {ACCOUNT: batch.digests[0]})
    assert (third.previous, third.basis) == (batch.digests[1], {ACCOUNT: batch.digests[0]})


def test_they_share_everything_but_their_ids() -> None:
    batch = SIGNER.batch(PROPOSAL, START)
    first, second = (envelope.read(value) for value in batch.values)
    assert (first.id, second.id) == ("event-1", "event-1.1")
    assert first.deadline == second.deadline == batch.deadline
    for record in (first, second):
        assert (record.source, record.actor) == ("twofold/auth", "anonymous")
        assert (record.correlation_id, record.causation_id) == ("request-1", "command-1")
        assert envelope.is_authentic(record, KEYS)


def test_digests_are_of_the_exact_bytes() -> None:
    batch = SIGNER.batch(PROPOSAL, START)
    assert batch.digests == tuple(digest(value) for value in batch.values)


class TestDeadline:
    @pytest.mark.parametrize(
        ("now", "clock"), [(later(5), START), (START, later(5))], ids=["writer's", "partition's"]
    )
    def test_it_counts_from_the_later_of_both_clocks(self, now: datetime, clock: datetime) -> None:
        """A partition whose time is ahead would otherwise expire everything at once."""
        batch = SIGNER.batch(replace(PROPOSAL, clock=clock), now)
        assert batch.deadline == later(5) + PATIENCE

    def test_it_never_passes_what_a_decision_relied_on(self) -> None:
        """A policy's start makes no event that would move a head."""
        soon = later(3)
        assert SIGNER.batch(replace(PROPOSAL, lapses=soon), START).deadline == soon
        far = later(3600)
        assert SIGNER.batch(replace(PROPOSAL, lapses=far), START).deadline == START + PATIENCE

    def test_it_is_far_within_what_the_rule_allows(self) -> None:
        assert timedelta(0) < PATIENCE < timedelta(seconds=60)


class TestRefusing:
    def test_a_decision_over_two_partitions(self) -> None:
        elsewhere = next(
            stream
            for stream in (streams.organisation(uuid()) for _ in range(1000))
            if streams.partition_of(stream, 6) != streams.partition_of(ACCOUNT, 6)
        )
        with pytest.raises(ValueError, match="must share a partition"):
            SIGNER.batch(replace(PROPOSAL, basis=[elsewhere]), START)

    def test_what_is_no_stream(self) -> None:
        declined = Draft("nowhere", TwoFactorDisabled(cause="declined"))
        with pytest.raises(ValueError, match="must share a partition"):
            SIGNER.batch(replace(PROPOSAL, drafts=[declined], basis=()), START)


def test_the_key_is_not_shown() -> None:
    assert KEY.decode() not in repr(SIGNER)
