"""
Sharing what is scarce between those who ask: in turn, and at the cost of whoever has the most.

Those who ask form a tree, and every branching of it shares alike: known people with strangers,
a network with other networks, an address in it with its neighbours. So nobody gets more by being
many below one branch. (Fair queueing with the drop from the longest queue: Demers, Keshav, Shenker
1989; RFC 8290 §4.1.) There are no rates in it that anybody would have to choose.
"""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Generic, TypeVar

Party = tuple[str, ...]
"""Who asks, from the widest to the narrowest: a path in the tree."""

T = TypeVar("T")


def known(staff_id: str, by: str) -> Party:
    """Somebody who has proved who they are before, by a device, a session or a link."""
    return ("known", staff_id, by)


def stranger(address: str) -> Party:
    """Anybody else, by their address."""
    return ("stranger", *at(address))


def at(address: str) -> Party:
    """
    An address as a party.

    IPv4: itself. IPv6: one host has a whole /64, and a /48 is had for the asking.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return (address,)
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return tuple(str(ip_network((parsed, bits), strict=False)) for bits in (48, 64))
        parsed = parsed.ipv4_mapped
    return (str(parsed),)


class Shares(Generic[T]):
    """Things (hashable, each once) by whose they are; one party is never a part of another."""

    def __init__(self) -> None:
        self._size = 0
        self._branches: dict[str, Shares[T]] = {}
        self._things: dict[T, None] = {}

    def __len__(self) -> int:
        return self._size

    def add(self, party: Party, thing: T) -> None:
        """Add a thing at the end of its party's line."""
        self._size += 1
        if party:
            self._branches.setdefault(party[0], Shares()).add(party[1:], thing)
        else:
            self._things[thing] = None

    def discard(self, party: Party, thing: T) -> bool:
        """Take a thing out; False where it isn't there."""
        if not party:
            found = thing in self._things
            self._things.pop(thing, None)
        else:
            branch = self._branches.get(party[0])
            found = branch is not None and branch.discard(party[1:], thing)
            if found and not branch:
                del self._branches[party[0]]
        self._size -= found
        return found

    def next(self) -> T:
        """
        Take out the thing whose turn it is: of each branch in turn, the one that came first.

        Raises:
            StopIteration: There is none.
        """
        name, branch = next(iter(self._branches.items()), (None, None))
        if name is None or branch is None:
            thing = next(iter(self._things))
            del self._things[thing]
        else:
            thing = branch.next()
            del self._branches[name]
            if branch:
                self._branches[name] = branch  # Behind the others.
        self._size -= 1
        return thing

    def heaviest(self) -> tuple[Party, list[T]]:
        """Who has the most, and what, oldest first; of equals, who is last in line."""
        if not self._branches:
            return (), list(self._things)
        last_first = reversed(self._branches.items())
        name, branch = max(last_first, key=lambda item: len(item[1]))
        party, things = branch.heaviest()
        return (name, *party), things
