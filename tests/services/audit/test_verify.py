"""Whoever changes history is found out by a checkpoint that was signed before."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from events import canonical, envelope
from events.acceptance import PartitionState as State
from events.acceptance import judge
from events.organisation import TwoFactorPolicyChanged
from events.records import Fate, Record
from services.audit.checkpoint import opened
from services.audit.history import AuditError, Dump, DumpedHistory
from services.audit.verify import complaints, verify
from tests.events.records import GENERATION, KEY, KEY_ID, KEYS, altered, uuid
from tests.services.audit.histories import Auditor, Author, Held, written

pytestmark = pytest.mark.row(51)


@pytest.fixture
def author() -> Author:
    return written(more=4)


@pytest.fixture
def auditor(author: Author) -> Auditor:
    """Somebody who signed when there were eight records."""
    auditor = Auditor()
    auditor.sign(author.history.with_records(author.partition.records[:8]))
    return auditor


class TestWhatIsTold:
    def test_of_a_history_that_holds(self, author: Author, auditor: Auditor) -> None:
        found = auditor.verify(author.history)
        assert found.wrong == []
        assert (found.tree.size, found.matched, found.covered) == (10, 1, 8)
        assert found.fates == {Fate.COUNTED: 10}
        assert len(found.state.heads) == 3
        assert found.state.running == author.partition.state.running

    def test_to_scripts_in_the_same_words(self, author: Author, auditor: Auditor) -> None:
        found = auditor.verify(author.history)
        assert found.to_json() == {
            "partition": 0,
            "generation": GENERATION,
            "records": 10,
            "fates": {"counted": 10},
            "heads": 3,
            "heads_digest": canonical.digest(canonical.dumps(found.state.heads)),
            "clock": "2026-11-24T09:00:09.000Z",
            "running": author.partition.state.running,
            "root": found.tree.root.hex(),
            "checkpoints": 1,
            "covered": 8,
            "wrong": [],
        }

    def test_how_far_it_is(self, author: Author) -> None:
        told: list[int] = []
        verify(author.history, KEYS, advance=told.append)
        assert sum(told) == 10

    def test_nothing_without_keys_and_anybodys_word(self, author: Author) -> None:
        """Who has no key can't see a forgery, and mustn't say that there was none."""
        with pytest.raises(AuditError, match="Without a key ring"):
            verify(author.history, None)

    def test_a_record_that_does_not_count_is_history_as_well(
        self, author: Author, auditor: Auditor
    ) -> None:
        author.partition.put(b"garbage", 20)
        auditor.sign(author.history)
        found = auditor.verify(author.history)
        assert (found.wrong, found.matched) == ([], 2)
        assert found.fates[Fate.MALFORMED] == 1

    def test_an_empty_partition(self) -> None:
        assert "empty" in Auditor().wrong(Held([]))


def flipped(records: list[Record]) -> list[Record]:
    value = records[4].value or b""
    return [*records[:4], replace(records[4], value=value.replace(b"Insurance", b"Insurancf")),
            *records[5:]]  # fmt: skip


def inserted(records: list[Record]) -> list[Record]:
    tick = replace(records[4], value=b"{}")
    return [*records[:4], tick, *records[4:]]


def swapped(records: list[Record]) -> list[Record]:
    return [*records[:4], records[5], records[4], *records[6:]]


def rewritten(records: list[Record]) -> list[Record]:
    """By somebody with the MAC key: 2FA was never mandatory; every later record fits it again."""
    new, made = [], dict[str, str]()
    for record in records:
        read = envelope.read(record.value or b"")
        data = dict(read.data)
        if read.type == TwoFactorPolicyChanged.wire_name:
            data["mandatory"] = False
        previous = made.get(read.previous or "", read.previous)
        value = envelope.seal(replace(read, data=data, previous=previous), KEY_ID, KEY)
        made[canonical.digest(record.value or b"")] = canonical.digest(value)
        new.append(replace(record, value=value))
    return new


@pytest.mark.parametrize(
    "change",
    [
        flipped,
        inserted,
        swapped,
        rewritten,
        lambda records: [*records[:4], *records[5:]],
        lambda records: records[:7],
        lambda records: [*records[:7], replace(records[7], append_time_ms=1)],
        lambda records: records[:0],
    ],
    ids=["flip", "insert", "swap", "re-sign", "drop", "truncate", "time", "empty"],
)
def test_history_that_was_changed_is_found_out(
    author: Author, auditor: Auditor, change: Callable[[list[Record]], list[Record]]
) -> None:
    """By somebody who owns the broker: offsets are dense, and times the broker's."""
    changed = author.history.with_records(change(author.partition.records))
    assert auditor.wrong(changed)


def test_rewritten_history_holds_without_a_checkpoint(author: Author, auditor: Auditor) -> None:
    """Which is why there are checkpoints: whoever has the MAC key could have written it."""
    changed = author.history.with_records(rewritten(author.partition.records))
    (found,) = verify(changed, KEYS)
    assert found.wrong == []
    assert found.fates == {Fate.COUNTED: 10}
    assert "history was changed somewhere" in auditor.wrong(changed)


def test_the_complaint_says_which_records_are_still_vouched_for(
    author: Author, auditor: Auditor
) -> None:
    auditor.sign(author.history)
    records = author.partition.records
    changed = [*records[:9], replace(records[9], value=b"other")]
    assert "from offset 8 on" in auditor.wrong(author.history.with_records(changed))


def test_a_topic_that_was_made_anew(author: Author, auditor: Auditor) -> None:
    other = auditor.checkpoints[0]
    note = replace(other, generation=uuid()).sign(auditor.private)
    checkpoints, _ = opened([note], auditor.key)
    assert "made anew" in " ".join(complaints(verify(author.history, KEYS, checkpoints)))


def test_a_partition_that_is_gone(author: Author, auditor: Auditor) -> None:
    note = replace(auditor.checkpoints[0], partition=3).sign(auditor.private)
    checkpoints, _ = opened([note], auditor.key)
    assert "no partition 3" in " ".join(complaints(verify(author.history, KEYS, checkpoints)))


def test_a_checkpoint_by_another_key_is_not_believed(author: Author, auditor: Auditor) -> None:
    """With write access to Kafka and every key but the one."""
    changed = author.history.with_records(rewritten(author.partition.records))
    thief = Auditor()
    thief.sign(changed)
    checkpoints, refused = opened([*thief.notes, "no note at all"], auditor.key)
    assert (checkpoints, refused) == ([], 2)


def test_it_halts_where_the_rule_does(author: Author, auditor: Auditor) -> None:
    """What comes after that is not judged: one complaint, and one for what was signed of it."""
    records = list(author.partition.records)
    hole = Held([*records[:3], *records[4:]])
    assert "offset 4 where 3 is due" in auditor.wrong(hole)
    assert "can be judged up to 3, where 8 records had been signed" in auditor.wrong(hole)
    for halting in (hole, Held([replace(records[0], value=b"x"), *records[1:]])):
        (verified,) = verify(halting, KEYS)
        assert (verified.halted, len(verified.wrong)) == (True, 1)


def test_it_says_how_much_was_cut(author: Author, auditor: Auditor) -> None:
    auditor.sign(author.history)
    cut = author.history.with_records(author.partition.records[:7])
    assert "ends at 7, where 10 records had been signed" in auditor.wrong(cut)


class TestDump:
    @pytest.fixture
    def dump(self, author: Author, auditor: Auditor, tmp_path: Path) -> Path:
        author.partition.put(altered(author.partition.records[-1].value or b"", actor="system2"), 9)
        forged = envelope.seal(
            envelope.read(author.partition.records[-2].value or b""), KEY_ID, b"x" * 32
        )
        author.partition.put(forged, 9)
        auditor.sign(author.history)
        path = tmp_path / "history.jsonl.gz"
        with Dump(path, replace(author.history, notes=auditor.notes)) as file:
            state = State(0)
            for record in author.partition.records:
                file.add(0, record, judge(state, record, KEYS).fate)
        return path

    def test_holds_what_the_history_held(
        self, dump: Path, author: Author, auditor: Auditor
    ) -> None:
        found = DumpedHistory(dump)
        assert [record for _, entries in found.read() for record, _ in entries] == (
            author.partition.records
        )
        (verified,) = verify(found, KEYS, opened(found.notes, auditor.key)[0])
        assert (verified.wrong, verified.matched) == ([], 2)

    def test_is_verified_by_who_has_the_public_key_alone(
        self, dump: Path, auditor: Auditor
    ) -> None:
        """Without MAC keys, fates are the dump's word; a checkpoint holds it to them."""
        found = DumpedHistory(dump)
        (verified,) = verify(found, None, opened(found.notes, auditor.key)[0])
        assert (verified.wrong, verified.covered) == ([], verified.tree.size)
        assert verified.fates[Fate.FORGED] == 1

    def test_a_lie_about_a_fate_is_found_out(self, dump: Path, auditor: Auditor) -> None:
        lines = gzip.decompress(dump.read_bytes()).decode().replace('"forged"', '"counted"')
        dump.write_bytes(gzip.compress(lines.encode()))
        found = DumpedHistory(dump)
        (verified,) = verify(found, None, opened(found.notes, auditor.key)[0])
        assert verified.wrong

    def test_a_clients_time_halts_it_as_it_does_the_topic(self, dump: Path) -> None:
        lines = gzip.decompress(dump.read_bytes()).decode()
        told = lines.replace('"broker_time":true', '"broker_time":false')
        dump.write_bytes(gzip.compress(told.encode()))
        (verified,) = verify(DumpedHistory(dump), KEYS)
        assert "has a client's time" in verified.wrong[0]

    def test_one_that_was_cut(self, dump: Path, tmp_path: Path) -> None:
        lines = gzip.decompress(dump.read_bytes()).splitlines(keepends=True)
        cut = tmp_path / "cut.jsonl"
        cut.write_bytes(b"".join(lines[:-1]))
        (verified,) = verify(DumpedHistory(cut), KEYS)
        assert "should hold 12 records; 11 came" in verified.wrong[0]

    def test_is_never_written_over(self, dump: Path, author: Author) -> None:
        with pytest.raises(AuditError, match="exists already"):
            Dump(dump, author.history)

    def test_a_hostile_one_is_told_as_what_it_is(self, dump: Path, tmp_path: Path) -> None:
        """Nothing of it ends an auditor's command in another way, or takes the machine's memory."""
        first, *_, last = gzip.decompress(dump.read_bytes()).decode().splitlines()
        record = json.loads(last)
        hostile = [
            *(json.dumps(record | {"append_time_ms": at}) for at in (10**30, -(10**17), "x")),
            json.dumps(record | {"partition": []}),
            json.dumps(record | {"partition": float("inf")}),
            "[" * 200_000,
            json.dumps(record)[:-1] + " " * 2_000_000 + "}",
        ]
        path = tmp_path / "hostile.jsonl"
        for line in hostile:
            path.write_text(f"{first}\n{line}\n")
            with pytest.raises(AuditError, match="no dump"):
                verify(DumpedHistory(path), KEYS)
            with pytest.raises(AuditError, match="no dump"):
                list(DumpedHistory(path).read({0}))
        damaged = bytearray(dump.read_bytes())
        damaged[40:60] = bytes(20)
        (tmp_path / "damaged.gz").write_bytes(damaged)
        with pytest.raises(AuditError, match="no dump"):
            verify(DumpedHistory(tmp_path / "damaged.gz"), KEYS)

    NOTHING = '{"format": "twofold-history/1", "topic": "t", "partitions": []}'
    ENDLESS = NOTHING.replace("[]", '[{"partition": 0, "start": 0, "end": Infinity}]')

    @pytest.mark.parametrize(
        "text", ["", "{}", "no json", "[]", '{"format": "other"}', NOTHING, ENDLESS]
    )
    def test_what_is_no_dump(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_text(text)
        with pytest.raises(AuditError, match="no dump"):
            DumpedHistory(path)

    def test_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(AuditError, match="There is no"):
            DumpedHistory(tmp_path / "x")
