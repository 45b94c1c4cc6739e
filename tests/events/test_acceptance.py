"""The acceptance rule: every fate, in the rule's order."""

import gc
import tracemalloc

import pytest

from events import envelope, marks, streams
from events.acceptance import PartitionState, judge, names
from events.canonical import digest
from events.records import QUARANTINED, Fate, HoleError, Record
from tests.events.records import (
    ACCOUNT,
    CODES,
    KEYS,
    NOW,
    STRANGER,
    STREAM,
    Partition,
    altered,
    later,
    sealed,
    uuid,
)


def foreign_stream(partition: int, partitions: int) -> str:
    """A stream that lives in another partition."""
    while True:
        stream = streams.organisation(uuid())
        if streams.partition_of(stream, partitions) != partition:
            return stream


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


class TestWhatIsTold:
    """A fate comes with what was written, for whoever shows the history or looks into it."""

    def test_every_record_is_told_of_but_what_is_none(self) -> None:
        partition = Partition()
        values = {
            Fate.COUNTED: sealed(STREAM, causation_id="command-1"),
            Fate.TICK: sealed(streams.log(0), marks.Tick()),
            Fate.SUPERSEDED: sealed(STREAM),
            Fate.EXPIRED: sealed(STREAM, deadline=later(-1)),
            Fate.FORGED: altered(sealed(STREAM), actor="anonymous"),
            Fate.MALFORMED: b"garbage",
        }
        for fate, value in values.items():
            judged = partition.put(value)
            told = None if fate is Fate.MALFORMED else envelope.read(value)
            assert (judged.fate, judged.envelope) == (fate, told)
            assert bool(judged.complaint) == (fate in QUARANTINED)

    def test_an_event_that_counted_says_who_did_it_and_why(self) -> None:
        value = sealed(STREAM, actor="anonymous", causation_id="command-1")
        counted = Partition().put(value).counted
        assert counted is not None
        said = (counted.actor, counted.correlation_id, counted.causation_id)
        assert said == ("anonymous", "request-1", "command-1")


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

    def test_it_is_the_same_for_ever(self) -> None:
        """Checkpoints that were signed with it are kept by others."""
        partition = Partition()
        (genesis,) = partition.records
        line = f"{'0' * 64} 0 {NOW} {digest(genesis.value or b'')} counted"
        assert partition.state.running == digest(line.encode())


class TestNames:
    def test_the_subject_and_the_basis_are_named(self) -> None:
        assert names(sealed(CODES, basis={ACCOUNT: None, STREAM: "a" * 64})) == {
            CODES, ACCOUNT, STREAM,
        }  # fmt: skip

    @pytest.mark.parametrize("value", [None, b"x"])
    def test_garbage_names_nothing(self, value: bytes | None) -> None:
        assert names(value) == set()


class TestWhatAnybodyMadeUp:
    """Records without a good MAC, from whoever may write to Kafka, cost a reader no memory."""

    @pytest.mark.parametrize(
        "made_up",
        [
            {"data": {"a": [{}] * 20_000}},  # As objects, 25 times as long as in bytes.
            {"subject": "x/" + "y" * 60_000},
            {"basis": " ".join(f"{number:05}=-" for number in range(7_500))},
        ],
        ids=lambda made_up: next(iter(made_up)),
    )
    def test_is_not_remembered(self, made_up: dict[str, object]) -> None:
        partition = Partition()
        values = [altered(sealed(STREAM, id=uuid()), **made_up) for _ in range(60)]
        assert all(60_000 < len(value) <= 65_536 for value in values)
        tracemalloc.start()
        try:
            for value in values:
                assert partition.put(value).fate in QUARANTINED
            gc.collect()
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < 1_000_000
