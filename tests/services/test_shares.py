"""Sharing: in turn, and at the cost of whoever has the most."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shares import Party, Shares, at, known, stranger


def filled(**wanted: int) -> Shares[tuple[str, int]]:
    shares: Shares[tuple[str, int]] = Shares()
    for name, count in wanted.items():
        for number in range(count):
            shares.add((name,), (name, number))
    return shares


def everything(shares: Shares[tuple[str, int]]) -> list[tuple[str, int]]:
    return [shares.next() for _ in range(len(shares))]


class TestAddresses:
    def test_an_ipv4_address_is_a_party_however_it_is_written(self) -> None:
        assert at("203.0.113.7") == at("::ffff:203.0.113.7") == ("203.0.113.7",)
        assert at("203.0.113.7") != at("203.0.113.8")

    def test_an_ipv6_host_is_its_64_within_its_48(self) -> None:
        here = at("2001:db8:1:2::3")
        assert here == at("2001:db8:1:2:ffff::") == ("2001:db8:1::/48", "2001:db8:1:2::/64")
        assert at("2001:db8:1:3::")[0] == here[0]
        assert at("2001:db8:2:2::3")[0] != here[0]

    def test_what_is_no_address_is_a_party_too(self) -> None:
        assert at("") == ("",)


class TestTurns:
    def test_each_party_has_one_in_turn_and_its_own_are_in_order(self) -> None:
        assert everything(filled(flood=4, one=1, two=2)) == [
            ("flood", 0), ("one", 0), ("two", 0), ("flood", 1), ("two", 1), ("flood", 2),
            ("flood", 3),
        ]  # fmt: skip

    def test_known_people_together_have_every_other_turn_however_many_strangers_come(self) -> None:
        shares: Shares[str] = Shares()
        for number in range(100):
            shares.add(stranger(f"198.51.100.{number}"), "stranger")
        for number in range(5):
            shares.add(known(f"staff-{number}", "device"), "known")
        assert [shares.next() for _ in range(10)] == ["stranger", "known"] * 5

    def test_a_whole_network_of_hosts_has_the_turns_of_one_address(self) -> None:
        shares: Shares[str] = Shares()
        for number in range(100):
            shares.add(stranger(f"2001:db8:1:{number:x}::1"), "many")
        shares.add(stranger("2001:db8:2::1"), "one")
        assert "one" in [shares.next() for _ in range(2)]


class TestTheHeaviest:
    def test_is_who_has_the_most_in_the_branch_that_has_the_most(self) -> None:
        shares: Shares[int] = Shares()
        for number in range(5):
            shares.add(stranger(f"198.51.100.{number}"), number)
        shares.add(stranger("198.51.100.3"), 5)
        for number in range(3):
            shares.add(known("staff", "device"), 10 + number)
        assert shares.heaviest() == (stranger("198.51.100.3"), [3, 5])

    def test_is_of_equals_who_is_last_in_line(self) -> None:
        assert filled(a=2, b=2, c=1).heaviest() == (("b",), [("b", 0), ("b", 1)])


PARTIES: list[Party] = [known("a", "1"), known("b", "1"), known("b", "2")] + [
    stranger(address) for address in ("203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8:0:1::")
]


@given(st.lists(st.tuples(st.sampled_from(["add", "next", "discard"]), st.integers(0, 6))))
def test_nothing_is_lost_and_nothing_comes_twice(steps: list[tuple[str, int]]) -> None:
    shares: Shares[int] = Shares()
    inside: dict[int, Party] = {}
    for number, (step, which) in enumerate(steps):
        party = PARTIES[which]
        if step == "add":
            shares.add(party, number)
            inside[number] = party
        elif step == "discard":
            thing = next((one for one, whose in inside.items() if whose == party), -1)
            assert shares.discard(party, thing) == (inside.pop(thing, None) is not None)
        elif inside:
            thing = shares.next()
            # Of its party, the first that came.
            assert min(one for one, whose in inside.items() if whose == inside[thing]) == thing
            del inside[thing]
        assert len(shares) == len(inside)
        if inside:
            most = Counter(party[0] for party in inside.values())
            assert most[shares.heaviest()[0][0]] == max(most.values())
    assert {shares.next() for _ in range(len(shares))} == set(inside)
    with pytest.raises(StopIteration):
        shares.next()
