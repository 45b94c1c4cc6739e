"""
A decision on its way into the log: its events as records that count together or not at all.

The first record carries every condition of all of them. Each later one names the heads as the
earlier ones move them, so that it can't count without them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from events import streams
from events.canonical import digest
from events.envelope import Envelope, Head, seal
from events.facts import Draft, Heads

PATIENCE: Final = timedelta(seconds=10)
"""How long after it was decided an event may still come to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """
    Events decided together, with what the decision relied on.

    Attributes:
        drafts: At least one; all in one partition.
        basis: Other streams that the decision relied on, whether they have a head or not.
        heads: Heads as loaded, of every stream in *drafts* and *basis*; an absent one has none.
        clock: The partition's monotone time, as loaded.
        lapses: When the first fact that the decision relied on ceases to hold by itself; None:
            they hold until a head moves.
        event_id: Id of the first event; the later ones get ``.1``, ``.2``, … behind it.
        actor: ``staff/<uuid>``, ``service/<key id>``, ``anonymous`` or ``system``.
        correlation_id: The request.
        causation_id: The command that led to it.
    """

    drafts: Sequence[Draft]
    basis: Collection[str]
    heads: Heads
    clock: datetime
    event_id: str
    actor: str
    correlation_id: str
    causation_id: str | None = None
    lapses: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """
    A proposal as records.

    Attributes:
        partition: The one that all of its streams live in.
        values: Exact bytes, in order.
        digests: SHA-256 of each.
        deadline: Theirs, all the same.
    """

    partition: int
    values: tuple[bytes, ...]
    digests: tuple[str, ...]
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Signer:
    """
    Who writes: its name on the records, and the writers' key.

    Attributes:
        source: Such as ``twofold/auth``.
        key_id: Names *key* in the key ring.
        key: HMAC-SHA256, 32 bytes.
        partitions: The topic's frozen count.
    """

    source: str
    key_id: str
    key: bytes = field(repr=False)
    partitions: int

    def batch(self, proposal: Proposal, now: datetime) -> Batch:
        """
        Write *proposal* as records.

        Args:
            now: The real clock, never a moved one; a deadline binds everybody.

        Raises:
            ValueError: Its streams live in several partitions.
        """
        deadline = max(now, proposal.clock) + PATIENCE
        if proposal.lapses is not None:
            deadline = min(deadline, proposal.lapses)
        partition = self._partition(proposal)
        heads: dict[str, Head] = dict(proposal.heads)
        first = proposal.drafts[0].stream
        relied_on = {draft.stream for draft in proposal.drafts} | set(proposal.basis)
        values, digests = [], []
        for index, draft in enumerate(proposal.drafts):
            named = relied_on if index == 0 else {first}
            envelope = Envelope(
                id=f"{proposal.event_id}.{index}" if index else proposal.event_id,
                source=self.source,
                type=draft.fact.wire_name,
                time=now,
                subject=draft.stream,
                deadline=deadline,
                actor=proposal.actor,
                correlation_id=proposal.correlation_id,
                causation_id=proposal.causation_id,
                data=draft.fact.to_json(),
                previous=heads.get(draft.stream),
                basis=_basis(named - {draft.stream}, heads),
            )
            values.append(seal(envelope, self.key_id, self.key))
            digests.append(digest(values[-1]))
            heads[draft.stream] = digests[-1]
        return Batch(partition, tuple(values), tuple(digests), deadline)

    def _partition(self, proposal: Proposal) -> int:
        names = {draft.stream for draft in proposal.drafts} | set(proposal.basis)
        homes = {streams.partition_of(name, self.partitions) for name in names}
        partition = homes.pop()
        if homes or partition is None:
            raise ValueError(f"A decision's streams must share a partition: {sorted(names)}.")
        return partition


def _basis(names: Collection[str], heads: Mapping[str, Head]) -> dict[str, Head]:
    return {name: heads.get(name) for name in names}


__all__ = ["PATIENCE", "Batch", "Draft", "Proposal", "Signer"]
