"""Histories in memory, written as the services write them; for tests of whoever audits them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events import streams
from events.facts import Fact
from events.organisation import OrganisationRegistered, TwoFactorPolicyChanged
from events.records import Fate, Record
from events.staff import StaffRegistered, TwoFactorDisabled, TwoFactorEnrolled
from services.audit.checkpoint import Checkpoint, opened
from services.audit.history import Entry, Span
from services.audit.notes import VerificationKey, public_of
from services.audit.verify import Verified, complaints, verify
from tests.events.records import KEYS, Partition, later, sealed, uuid

NAME = "twofold/tests"


@dataclass
class Held:
    """A `History` that a test may do with as it likes."""

    records: list[Record]
    notes: Sequence[str] = ()
    topic: str = "twofold.events"
    told: dict[int, Fate] = field(default_factory=dict)

    @property
    def spans(self) -> Sequence[Span]:
        return [Span(0, 0, len(self.records))]

    def read(
        self, partitions: Collection[int] | None = None
    ) -> Iterator[tuple[int, Sequence[Entry]]]:
        entries = [(record, self.told.get(record.offset)) for record in self.records]
        for start in range(0, len(entries), 3) if partitions is None or 0 in partitions else ():
            yield 0, entries[start : start + 3]

    def with_records(self, records: Sequence[Record]) -> "Held":
        """As a broker that was tampered with would give them: offsets without holes."""
        dense = [replace(one, offset=offset) for offset, one in enumerate(records)]
        return Held(dense, self.notes, self.topic)


@dataclass
class Author:
    """Writes a history of one organisation, a second for each event."""

    organisation: str = field(default_factory=uuid)
    person: str = field(default_factory=uuid)
    partition: Partition = field(default_factory=Partition)

    def write(self, stream: str, fact: Fact) -> None:
        at = len(self.partition.records)
        value = sealed(stream, fact, previous=self.partition.head(stream), deadline=later(at + 10))
        assert self.partition.put(value, at).counted

    def policy(self, *, mandatory: bool) -> None:
        fact = TwoFactorPolicyChanged(mandatory=mandatory, reason="Insurance")
        self.write(streams.organisation(self.organisation), fact)

    def account(self, fact: Fact) -> None:
        self.write(streams.account(self.organisation, self.person), fact)

    @property
    def history(self) -> Held:
        return Held(list(self.partition.records))


def written(more: int = 0) -> Author:
    """Genesis, an organisation, Ann, her enrolment, a policy, her disabling; and policies."""
    author = Author()
    author.write(streams.organisation(author.organisation), OrganisationRegistered(name="Lettings"))
    author.account(
        StaffRegistered(username_digest="a" * 64, data_key=uuid(), details="A" * 40, role="staff")
    )
    author.account(TwoFactorEnrolled(authenticator=uuid(), method="totp", time_step=1))
    author.policy(mandatory=True)
    author.account(TwoFactorDisabled(cause="administrator"))
    for index in range(more):
        author.policy(mandatory=bool(index % 2))
    return author


@dataclass
class Auditor:
    """Signs checkpoints, and keeps them."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> VerificationKey:
        return public_of(self.private, NAME)

    @property
    def checkpoints(self) -> list[Checkpoint]:
        return opened(self.notes, self.key)[0]

    def sign(self, history: Held) -> None:
        (found,) = verify(history, KEYS)
        assert not found.wrong
        self.notes.append(found.checkpoint(NAME).sign(self.private))

    def verify(self, history: Held) -> Verified:
        (found,) = verify(history, KEYS, self.checkpoints)
        return found

    def wrong(self, history: Held) -> str:
        return " ".join(complaints(verify(history, KEYS, self.checkpoints)))
