"""The acceptance rule: every fate, and everything that halts, in the rule's order."""

from dataclasses import replace

import pytest

from events import envelope, marks, streams
from events.acceptance import (
    Fate,
    ForeignTimeError,
    GenesisError,
    HaltError,
    HoleError,
    NewerWriterError,
    PartitionState,
    Record,
    judge,
    names,
)
from events.canonical import digest
from events.moments import to_milliseconds
from tests.events.records import (
    GENERATION,
    KEY,
    KEY_ID,
    KEYS,
    START,
    Partition,
    altered,
    event,
    genesis,
    later,
    sealed,
    uuid,
)

ORGANISATION = uuid()
STREAM = streams.organisation(ORGANISATION)
STRANGER = streams.stranger("5" * 64)
PERSON = uuid()
ACCOUNT = streams.account(ORGANISATION, PERSON)
CODES = streams.codes(ORGANISATION, PERSON)
NOW = to_milliseconds(START)


def foreign_stream(partition: int, partitions: int) -> str:
    """A stream that lives in another partition."""
    while True:
        stream = streams.organisation(uuid())
        if streams.partition_of(stream, partitions) != partition:
            return stream


class TestHalting:
    def test_halts_at_a_hole(self) -> None:
        partition = Partition()
        with pytest.raises(HoleError, match="goes on at offset 2 where 1 is due"):
            judge(partition.state, Record(2, NOW, sealed(STREAM)), KEYS)

    def test_halts_at_an_offset_seen_before(self) -> None:
        partition = Partition()
        with pytest.raises(HoleError):
            judge(partition.state, partition.records[0], KEYS)

    def test_halts_at_a_clients_time(self) -> None:
        partition = Partition()
        with pytest.raises(ForeignTimeError):
            judge(partition.state, Record(1, NOW, sealed(STREAM), broker_time=False), KEYS)

    def test_halts_at_an_authentic_record_of_an_unknown_type(self) -> None:
        newer = sealed(STREAM, type="twofold.organisation_registered.v9")
        with pytest.raises(NewerWriterError, match="upgrade this reader"):
            Partition().put(newer)

    def test_halts_at_an_authentic_record_whose_data_does_not_fit(self) -> None:
        with pytest.raises(NewerWriterError):
            Partition().put(sealed(STREAM, data={"name": "Agency", "added": "later"}))

    def test_halts_at_an_unknown_type_even_where_it_is_expired_or_superseded(self) -> None:
        """Whether it would count is not asked: this reader can't know what it means."""
        newer = sealed(STREAM, type="twofold.new.v1", previous="f" * 64, deadline=later(-60))
        with pytest.raises(NewerWriterError):
            Partition().put(newer)

    def test_nobody_without_a_key_can_halt_a_partition(self) -> None:
        unknown = envelope.seal(event(STREAM, type="twofold.new.v1"), "stranger", b"x" * 32)
        assert Partition().put(unknown).fate is Fate.FORGED

    def test_a_halt_leaves_the_state_as_it_was(self) -> None:
        partition = Partition()
        before = replace(partition.state, heads=dict(partition.state.heads))
        with pytest.raises(HaltError):
            partition.put(sealed(STREAM, type="twofold.new.v1"), at=5)
        assert partition.state == before


class TestGenesis:
    def test_the_first_record_names_the_generation_and_the_count(self) -> None:
        state = PartitionState(0)
        judged = judge(state, Record(0, NOW, genesis(partitions=3)), KEYS)
        assert judged.fate is Fate.COUNTED
        assert judged.counted is not None
        assert str(judged.counted.position) == f"{GENERATION}:0:0"
        assert (state.generation, state.partitions, state.next_offset) == (GENERATION, 3, 1)

    @pytest.mark.parametrize(
        "value",
        [
            None,
            b"",
            b"no record",
            altered(genesis(), mac=f"{KEY_ID}.{'0' * 64}"),
            genesis(partition=1, partitions=2),
            genesis(partitions=2, previous="0" * 64),
            sealed(STREAM),
            sealed(streams.log(0), marks.Tick()),
        ],
        ids=["tombstone", "empty", "garbage", "forged", "of another partition",
             "that follows something", "an event", "a tick"],
    )  # fmt: skip
    def test_anything_else_at_offset_0_halts(self, value: bytes | None) -> None:
        with pytest.raises(GenesisError):
            judge(PartitionState(0), Record(0, NOW, value), KEYS)

    def test_a_genesis_whose_count_leaves_its_partition_out_halts(self) -> None:
        with pytest.raises(GenesisError):
            judge(PartitionState(3), Record(0, NOW, genesis(partition=3, partitions=3)), KEYS)

    def test_a_clock_that_is_off_does_not_kill_a_topic_at_birth(self) -> None:
        for at in (later(-3600), later(3600)):
            state = PartitionState(0)
            assert judge(state, Record(0, to_milliseconds(at), genesis()), KEYS).fate is (
                Fate.COUNTED
            )

    def test_a_second_genesis_never_counts(self) -> None:
        """Two processes may make a topic at once."""
        partition = Partition()
        log = streams.log(0)
        assert partition.put(genesis(id=uuid())).fate is Fate.SUPERSEDED
        follower = genesis(previous=partition.head(log))
        assert partition.put(follower).fate is Fate.SUPERSEDED
        assert partition.state.generation == GENERATION


class TestMalformed:
    @pytest.mark.parametrize("value", [None, b"", b"\xff", b"{}", b"null", b"[" * 100_000])
    def test_what_is_no_record_is_quarantined(self, value: bytes | None) -> None:
        judged = Partition().put(value)
        assert judged.fate is Fate.MALFORMED
        assert judged.counted is None
        assert judged.complaint

    def test_an_over_long_record_is_malformed(self) -> None:
        value = sealed(STREAM).replace(b"Agency", b"A" * 70_000)
        assert Partition().put(value).fate is Fate.MALFORMED

    def test_a_stream_of_another_partition_is_malformed(self) -> None:
        """One stream in two partitions would have two heads."""
        partition = Partition(partitions=4)
        assert partition.put(sealed(foreign_stream(0, 4))).fate is Fate.MALFORMED

    def test_a_basis_in_another_partition_is_malformed(self) -> None:
        partition = Partition(partitions=4)
        own = next(
            stream
            for stream in (streams.organisation(uuid()) for _ in range(1000))
            if streams.partition_of(stream, 4) == 0
        )
        foreign = sealed(own, basis={foreign_stream(0, 4): None})
        assert partition.put(foreign).fate is Fate.MALFORMED
        assert partition.put(sealed(own)).fate is Fate.COUNTED

    def test_what_is_no_streams_name_is_malformed(self) -> None:
        assert Partition().put(sealed("elsewhere")).fate is Fate.MALFORMED

    def test_a_deadline_more_than_60_s_ahead_is_malformed(self) -> None:
        partition = Partition()
        assert partition.put(sealed(STREAM, deadline=later(60.001))).fate is Fate.MALFORMED
        assert partition.put(sealed(STREAM, deadline=later(60))).fate is Fate.COUNTED

    def test_the_60_s_count_from_the_records_own_time(self) -> None:
        """Else a moment at which the broker's clock was ahead would allow longer ones after it."""
        partition = Partition()
        partition.put(b"a later record", at=30)
        assert partition.put(sealed(STREAM, deadline=later(70)), at=0).fate is Fate.MALFORMED


class TestForged:
    def test_a_changed_member_is_forged(self) -> None:
        value = altered(sealed(STREAM), actor="anonymous")
        judged = Partition().put(value)
        assert (judged.fate, judged.counted) == (Fate.FORGED, None)

    def test_an_unknown_key_is_forged(self) -> None:
        assert Partition().put(envelope.seal(event(STREAM), "k9", KEY)).fate is Fate.FORGED

    def test_a_key_that_was_replaced_still_counts(self) -> None:
        value = envelope.seal(event(STREAM), "old", KEYS["old"])
        assert Partition().put(value).fate is Fate.COUNTED

    def test_a_forged_record_moves_no_head(self) -> None:
        partition = Partition()
        partition.put(altered(sealed(STREAM), actor="anonymous"))
        assert partition.head(STREAM) is None


class TestRetired:
    """A stolen key is worth nothing from the record on by which a newer one retired it."""

    def test_what_an_older_key_made_before_counts_and_what_it_makes_later_is_forged(self) -> None:
        partition = Partition()
        assert partition.put(sealed(STREAM)).fate is Fate.COUNTED
        assert partition.put(retirement(partition, "k2")).fate is Fate.COUNTED
        for value in (
            sealed(STREAM, previous=partition.head(STREAM)),
            sealed(streams.log(0), marks.Tick()),
            envelope.seal(event(ACCOUNT), "old", KEYS["old"]),
        ):
            judged = partition.put(value)
            assert (judged.fate, judged.complaint) == (Fate.FORGED, "its key had been retired")
        theirs = event(STREAM, previous=partition.head(STREAM))
        assert partition.put(envelope.seal(theirs, "k2", KEYS["k2"])).fate is Fate.COUNTED

    def test_an_older_key_retires_no_newer_one(self) -> None:
        partition = Partition()
        for name in ("k1", "old"):
            assert partition.put(retirement(partition, name)).fate is Fate.COUNTED
        assert partition.put(envelope.seal(event(STREAM), "k2", KEYS["k2"])).fate is Fate.COUNTED
        assert partition.put(sealed(ACCOUNT)).fate is Fate.COUNTED

    def test_what_does_not_count_retires_nothing(self) -> None:
        """Late, on a head that has moved, copied from another partition, or under no key."""
        partition = Partition()
        fact = marks.OlderKeysRetired()
        late = event(streams.log(0), fact, previous=partition.head(streams.log(0)))
        elsewhere = event(streams.log(1), fact)
        assert partition.put(altered(retirement(partition, "k2"), mac=f"k3.{'0' * 64}")).fate is (
            Fate.FORGED
        )
        for lacking, fate in (
            (event(streams.log(0), fact), Fate.SUPERSEDED),
            (elsewhere, Fate.MALFORMED),
        ):
            assert partition.put(envelope.seal(lacking, "k2", KEYS["k2"])).fate is fate
        assert partition.put(envelope.seal(late, "k2", KEYS["k2"]), at=11).fate is Fate.EXPIRED
        assert partition.put(sealed(STREAM, deadline=later(20)), at=11).fate is Fate.COUNTED

    def test_an_auditor_without_keys_holds_to_it(self) -> None:
        """Whoever wrote the dump can't say that a retired key's record counted."""
        partition = Partition()
        partition.put(retirement(partition, "k2"))
        record = Record(2, NOW, sealed(STREAM))
        assert judge(partition.state, record, {}, authentic=True).fate is Fate.FORGED


def retirement(partition: Partition, key_id: str) -> bytes:
    log = streams.log(0)
    mark = event(log, marks.OlderKeysRetired(), previous=partition.head(log))
    return envelope.seal(mark, key_id, KEYS[key_id])


class TestTick:
    def test_a_tick_carries_only_its_time(self) -> None:
        partition = Partition()
        head = partition.head(streams.log(0))
        assert partition.put(sealed(streams.log(0), marks.Tick()), at=7).fate is Fate.TICK
        assert partition.state.clock == later(7)
        assert partition.head(streams.log(0)) == head

    def test_a_tick_has_neither_deadline_nor_conditions(self) -> None:
        tick = sealed(streams.log(0), marks.Tick(), deadline=later(-5), previous="0" * 64)
        assert Partition().put(tick).fate is Fate.TICK


class TestExpired:
    def test_counts_up_to_its_deadline(self) -> None:
        assert Partition().put(sealed(STREAM), at=10).fate is Fate.COUNTED

    def test_expires_after_its_deadline(self) -> None:
        judged = Partition().put(sealed(STREAM), at=10.001)
        assert (judged.fate, judged.counted) == (Fate.EXPIRED, None)

    @pytest.mark.parametrize(
        "earlier",
        [b"garbage", sealed(streams.log(0), marks.Tick()),
         altered(sealed(STREAM), actor="anonymous")],
        ids=["malformed", "tick", "forged"],
    )  # fmt: skip
    def test_time_is_the_highest_over_every_record_so_far(self, earlier: bytes) -> None:
        """Whatever it became: else what was answered `not-done` could still come to count."""
        partition = Partition()
        partition.put(earlier, at=11)
        assert partition.put(sealed(STREAM), at=5).fate is Fate.EXPIRED

    def test_a_counted_event_carries_the_monotone_time(self) -> None:
        partition = Partition()
        partition.put(b"garbage", at=8)
        counted = partition.put(sealed(STREAM), at=3).counted
        assert counted is not None
        assert counted.at == later(8)


class TestSuperseded:
    def test_the_first_on_a_head_counts_and_the_second_does_not(self) -> None:
        partition = Partition()
        assert partition.put(sealed(STREAM)).fate is Fate.COUNTED
        assert partition.put(sealed(STREAM)).fate is Fate.SUPERSEDED

    def test_a_duplicate_is_superseded(self) -> None:
        partition, value = Partition(), sealed(STREAM)
        assert partition.put(value).fate is Fate.COUNTED
        assert partition.put(value).fate is Fate.SUPERSEDED

    def test_a_follower_of_the_head_counts(self) -> None:
        partition, value = Partition(), sealed(STREAM)
        partition.put(value)
        assert partition.put(sealed(STREAM, previous=digest(value))).fate is Fate.COUNTED

    def test_a_follower_of_what_never_counted_is_superseded(self) -> None:
        partition, lost = Partition(), sealed(STREAM)
        partition.put(sealed(STREAM))
        partition.put(lost)
        assert partition.put(sealed(STREAM, previous=digest(lost))).fate is Fate.SUPERSEDED

    def test_a_head_in_the_basis_that_moved_supersedes(self) -> None:
        """A login relies on the account: disabling, or a new policy, comes first or after."""
        partition, account = Partition(), sealed(ACCOUNT)
        partition.put(account)
        basis = {ACCOUNT: digest(account)}
        assert partition.put(sealed(CODES, basis=basis)).fate is Fate.COUNTED
        partition.put(sealed(ACCOUNT, previous=digest(account)))
        head = partition.head(CODES)
        assert partition.put(sealed(CODES, previous=head, basis=basis)).fate is Fate.SUPERSEDED

    def test_a_stream_relied_on_as_empty_must_be_empty(self) -> None:
        partition = Partition()
        assert partition.put(sealed(CODES, basis={ACCOUNT: None})).fate is Fate.COUNTED
        partition.put(sealed(ACCOUNT))
        late = sealed(CODES, previous=partition.head(CODES), basis={ACCOUNT: None})
        assert partition.put(late).fate is Fate.SUPERSEDED

    def test_expired_is_asked_before_superseded(self) -> None:
        partition = Partition()
        partition.put(sealed(STREAM))
        assert partition.put(sealed(STREAM), at=11).fate is Fate.EXPIRED

    @pytest.mark.parametrize("at", [0, 11])
    def test_what_does_not_count_moves_no_head(self, at: float) -> None:
        partition = Partition()
        partition.put(sealed(STREAM))
        head = partition.head(STREAM)
        partition.put(sealed(STREAM), at=at)
        assert partition.head(STREAM) == head


class TestForgetfulTopics:
    """The strangers' topic: seven days of it, without a genesis."""

    def test_it_begins_anywhere(self) -> None:
        state = PartitionState(0, partitions=1, next_offset=None, forgetful=True)
        assert judge(state, Record(400, NOW, sealed(STRANGER)), KEYS).fate is Fate.COUNTED

    def test_a_streams_first_remaining_record_is_believed(self) -> None:
        state = PartitionState(0, partitions=1, forgetful=True, heads={STRANGER: None})
        value = sealed(STRANGER, previous="a" * 64)
        assert judge(state, Record(0, NOW, value), KEYS).fate is Fate.COUNTED
        assert judge(state, Record(1, NOW, value), KEYS).fate is Fate.SUPERSEDED

    def test_what_was_deleted_meanwhile_is_no_hole_but_going_back_is(self) -> None:
        state = PartitionState(0, partitions=1, next_offset=5, forgetful=True)
        judge(state, Record(9, NOW, b"x"), KEYS)
        with pytest.raises(HoleError):
            judge(state, Record(9, NOW, b"x"), KEYS)

    @pytest.mark.parametrize("stream", [STREAM, ACCOUNT, streams.username("a" * 64)])
    def test_a_record_of_the_history_is_nothing_here(self, stream: str) -> None:
        """Its MAC is good, and here its stream's first record would be believed."""
        state = PartitionState(0, partitions=1, forgetful=True)
        for value in (sealed(stream), sealed(STRANGER, basis={stream: None})):
            offset = state.next_offset or 0
            assert judge(state, Record(offset, NOW, value), KEYS).fate is Fate.MALFORMED

    def test_a_record_of_a_stranger_is_nothing_in_the_history(self) -> None:
        assert Partition().put(sealed(STRANGER)).fate is Fate.MALFORMED
        assert Partition().put(sealed(STREAM, basis={STRANGER: None})).fate is Fate.MALFORMED

    def test_time_moves_in_either(self) -> None:
        state = PartitionState(0, partitions=1, forgetful=True)
        tick = sealed(streams.log(0), marks.Tick())
        assert judge(state, Record(0, NOW, tick), KEYS).fate is Fate.TICK


class TestRunningDigest:
    def test_it_depends_on_offset_time_value_and_fate(self) -> None:
        """[A, B] cut off and filled up again as [A, C] must show at B's offset."""

        def run(*values: tuple[bytes, float]) -> str:
            partition = Partition()
            for value, at in values:
                partition.put(value, at)
            return partition.state.running

        a, b, c = sealed(STREAM), b"b", b"c"
        assert run((a, 1), (b, 2)) == run((a, 1), (b, 2))
        assert len({run((a, 1), (b, 2)), run((a, 1), (c, 2)), run((a, 1), (b, 3)), run((a, 1)),
                    run((a, 1), (b, 2), (b, 2))}) == 5  # fmt: skip


class TestNames:
    def test_the_subject_and_the_basis_are_named(self) -> None:
        assert names(sealed(CODES, basis={ACCOUNT: None, STREAM: "a" * 64})) == {
            CODES, ACCOUNT, STREAM,
        }  # fmt: skip

    @pytest.mark.parametrize("value", [None, b"x"])
    def test_garbage_names_nothing(self, value: bytes | None) -> None:
        assert names(value) == set()
