"""The acceptance rule: how a partition begins, and where it can't be read on."""

from dataclasses import replace

import pytest

from events import envelope, marks, streams
from events.acceptance import PartitionState, judge
from events.moments import to_milliseconds
from events.records import (
    Fate,
    ForeignTimeError,
    GenesisError,
    HaltError,
    HoleError,
    NewerWriterError,
    Record,
)
from tests.events.records import (
    GENERATION,
    KEY_ID,
    KEYS,
    NOW,
    STREAM,
    Partition,
    altered,
    event,
    genesis,
    later,
    sealed,
    uuid,
)


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
            genesis(partitions=2, basis={streams.log(1): None}),
            sealed(STREAM),
            sealed(streams.log(0), marks.Tick()),
        ],
        ids=["tombstone", "empty", "garbage", "forged", "of another partition",
             "that follows something", "that relies on something", "an event", "a tick"],
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
