"""
Merkle tree hashes over a partition's records (RFC 9162 §2.1): one record can be shown alone.

A leaf says what the running digest says of a record: offset, append time, digest of its value, and
fate.
"""

from collections.abc import Sequence
from hashlib import sha256

from events.records import Fate

EMPTY = sha256().digest()


def leaf(offset: int, append_time_ms: int, value_digest: str, fate: Fate) -> bytes:
    """A record's leaf hash, 32 bytes."""
    return sha256(f"\0{offset} {append_time_ms} {value_digest} {fate}".encode()).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """
    A tree that grows leaf by leaf, of which no more is kept than its root needs.

    Attributes:
        size: How many leaves it has.
    """

    def __init__(self) -> None:
        self.size = 0
        self._perfect: list[bytes] = []  # One for each bit that is set in `size`, largest first.

    def append(self, leaf_hash: bytes) -> None:
        """One leaf more."""
        found, size = leaf_hash, self.size
        while size & 1:
            found = node(self._perfect.pop(), found)
            size >>= 1
        self._perfect.append(found)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The tree's hash."""
        if not self._perfect:
            return EMPTY
        *rest, found = self._perfect
        for left in reversed(rest):
            found = node(left, found)
        return found


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The hash of the tree with these leaves."""
    frontier = Frontier()
    for one in leaves:
        frontier.append(one)
    return frontier.root


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """
    The nodes that lead from one leaf to the root, lowest first (RFC 9162 §2.1.3.1).

    Args:
        leaves: All of them.
        index: Which.
    """
    found: list[bytes] = []
    first, last = 0, len(leaves)
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            found.append(root_of(leaves[middle:last]))
            last = middle
        else:
            found.append(root_of(leaves[first:middle]))
            first = middle
    return found[::-1]


def climb(leaf_hash: bytes, index: int, size: int, nodes: Sequence[bytes]) -> bytes | None:
    """
    The root that a path leads to (RFC 9162 §2.1.3.2); None where it fits no tree of that size.

    Args:
        leaf_hash: Where it begins.
        index: The leaf's.
        size: The tree's.
        nodes: Lowest first.
    """
    if not 0 <= index < size:
        return None
    here, last, found = index, size - 1, leaf_hash
    for one in nodes:
        if last == 0:
            return None
        if here & 1 or here == last:
            found = node(one, found)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            found = node(found, one)
        here, last = here >> 1, last >> 1
    return found if last == 0 else None


def _split(size: int) -> int:
    """The largest power of two below *size*."""
    power: int = 1 << (size - 1).bit_length() - 1
    return power
