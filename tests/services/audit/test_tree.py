"""Merkle trees: RFC 9162's own values, and every path of small trees."""

from hashlib import sha256

import pytest

from events.records import Fate
from services.audit import tree

# Certificate Transparency's own test data: eight leaves, and the roots of the trees of the first.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def hashed(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert tree.root_of([hashed(data) for data in LEAVES[:size]]).hex() == ROOTS[size]


@pytest.mark.parametrize("size", range(1, 20))
def test_each_leaf_leads_to_the_root_and_no_other_does(size: int) -> None:
    leaves = [hashed(bytes([index])) for index in range(size)]
    root = tree.root_of(leaves)
    for index, one in enumerate(leaves):
        path = tree.path(leaves, index)
        assert tree.climb(one, index, size, path) == root
        assert tree.climb(hashed(b"other"), index, size, path) != root
        assert tree.climb(one, index, size, [*path, root]) is None
        assert tree.climb(one, size, size, path) is None
        if path:
            assert tree.climb(one, index, size, path[:-1]) is None


def test_a_leaf_says_the_fate() -> None:
    assert tree.leaf(1, 2, "ab", Fate.COUNTED) == hashed(b"1 2 ab counted")
