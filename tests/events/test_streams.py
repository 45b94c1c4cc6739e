"""Names of streams, and the partition of each."""

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from events import streams

ORGANISATION = "11111111-1111-4111-8111-111111111111"
PERSON = "22222222-2222-4222-8222-222222222222"
DIGEST = "ab" * 32

OF_ORGANISATION = [
    (streams.organisation(ORGANISATION), "organisation"),
    (streams.account(ORGANISATION, PERSON), "account"),
    (streams.codes(ORGANISATION, PERSON), "codes"),
    (streams.guesses(ORGANISATION, PERSON), "guesses"),
    (streams.links(ORGANISATION, PERSON), "links"),
    (streams.session(ORGANISATION, PERSON), "session"),
    (streams.command(ORGANISATION, "staff-service", "cmd:1"), "command"),
]


@given(st.binary(max_size=80), st.integers(1, 100))
def test_partitions_are_chosen_as_kafkas_own_partitioner_does(key: bytes, count: int) -> None:
    assert streams.partition_for_key(key, count) == (murmur2(key) & 0x7FFFFFFF) % count


@pytest.mark.parametrize(("stream", "kind"), OF_ORGANISATION)
def test_everything_of_an_organisation_shares_its_partition(stream: str, kind: str) -> None:
    for count in (1, 6, 50):
        expected = streams.partition_for_key(ORGANISATION.encode(), count)
        assert streams.partition_of(stream, count) == expected
    assert streams.key_of(stream) == ORGANISATION.encode()
    assert streams.organisation_of(stream) == ORGANISATION
    assert streams.kind(stream) == kind


@pytest.mark.parametrize("stream", [streams.username(DIGEST), streams.stranger(DIGEST)])
def test_a_username_is_partitioned_by_its_digest(stream: str) -> None:
    assert streams.partition_of(stream, 6) == streams.partition_for_key(DIGEST.encode(), 6)
    assert streams.organisation_of(stream) is None
    assert streams.kind(stream) == stream.split("/", maxsplit=1)[0]
    assert streams.subject_id(stream) == DIGEST


def test_the_logs_own_stream_is_its_partitions() -> None:
    assert streams.partition_of(streams.log(5), 6) == 5
    assert streams.partition_of(streams.log(6), 6) is None
    assert streams.key_of(streams.log(5)) is None
    assert streams.kind(streams.log(5)) == "log"


@pytest.mark.parametrize(
    "name",
    [
        "", "/", ORGANISATION, f"{ORGANISATION}/", f"{ORGANISATION}/account",
        f"{ORGANISATION}/account/", f"{ORGANISATION}/account/{PERSON}/",
        f"{ORGANISATION}/x/{PERSON}", f"{ORGANISATION}/account/{PERSON}\n",
        f"{ORGANISATION[:-1]}A/organisation", f"{ORGANISATION}/command/staff-service/",
        f"{ORGANISATION}/command/staff-service/{'c' * 65}", f"{ORGANISATION}/command/Staff/c",
        "username/" + "AB" * 32, "username/ab", f"username/{DIGEST}/x", "log/01", "log/-1", "log/٣",
    ],
)  # fmt: skip
def test_what_is_no_streams_name_has_no_partition(name: str) -> None:
    assert streams.partition_of(name, 6) is None
    assert not streams.is_name(name)


@pytest.mark.parametrize("stream", [*(one for one, _ in OF_ORGANISATION), streams.log(5)])
def test_names_are_known_without_their_partitions(stream: str) -> None:
    assert streams.is_name(stream)


def test_the_longest_name_is_one() -> None:
    longest = streams.command(ORGANISATION, "k" * 64, "c" * 64)
    assert streams.is_name(longest)
    assert streams.partition_of(longest, 6) is not None
    assert len(longest) < streams.LONGEST
