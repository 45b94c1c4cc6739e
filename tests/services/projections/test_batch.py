"""In what portions records are folded, and what is asked for before."""

from events import streams
from events.records import Record
from services.projections.batch import LARGEST, LARGEST_BYTES, envelopes, portions
from services.projections.states import needs_of
from tests.events.records import STREAM, altered, sealed


def records(*sizes: int) -> list[Record]:
    return [Record(at, 0, b"x" * size) for at, size in enumerate(sizes)]


class TestPortions:
    def test_ordinary_records_go_by_their_number(self) -> None:
        found = list(portions(records(*[1] * (2 * LARGEST + 1))))
        assert [len(one) for one in found] == [LARGEST, LARGEST, 1]

    def test_long_ones_go_by_their_bytes(self) -> None:
        some = records(*[64 * 1024] * 200)
        found = list(portions(some))
        assert [record for one in found for record in one] == some
        assert max(sum(len(r.value or b"") for r in one) for one in found) == LARGEST_BYTES

    def test_one_that_is_too_long_alone_goes_alone(self) -> None:
        found = list(portions(records(1, LARGEST_BYTES + 1, 1)))
        assert [len(one) for one in found] == [1, 1, 1]

    def test_of_nothing_there_are_none(self) -> None:
        assert not list(portions([]))


class TestNeeds:
    def test_of_what_can_not_count_there_are_none(self) -> None:
        made_up = [
            altered(sealed(STREAM), subject="x/" + "y" * 60_000),
            altered(sealed(STREAM), basis=f"{STREAM[:-1]}=-"),
            b"no record",
        ]
        needs = needs_of(envelopes(Record(at, 0, value) for at, value in enumerate(made_up)))
        assert not needs.heads
        assert not needs.organisations

    def test_of_a_record_are_its_streams_heads(self) -> None:
        needs = needs_of(envelopes([Record(0, 0, sealed(STREAM))]))
        assert needs.heads == {STREAM}
        assert needs.organisations == {streams.organisation_of(STREAM)}
