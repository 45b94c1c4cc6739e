"""The acceptance rule: which key made a record, and until when that counts."""

from events import envelope, marks, streams
from events.acceptance import judge
from events.records import Fate, Record
from tests.events.records import (
    ACCOUNT,
    KEY,
    KEYS,
    NOW,
    STREAM,
    Partition,
    altered,
    event,
    later,
    sealed,
)


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
            assert judged.envelope == envelope.read(value)
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
