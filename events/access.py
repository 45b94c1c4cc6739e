"""
Who may do what with Kafka: principal x topic x operation, and nothing that isn't here.

One table, out of which `events.log.access` makes the broker's access control list and the tests
every single try. Making topics, and changing or deleting them or their records, is for nobody here:
it takes the broker's own administrator. Nobody has a transactional id (its control records would be
holes in the history for ever), and idempotent producing needs no right of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from events import topics
from events.topics import Topic

Operation = Literal["Describe", "DescribeConfigs", "Read", "Write"]
"""Those that are ever granted; Create, Alter, AlterConfigs, Delete (records too) never are."""

Kind = Literal["topic", "group"]

BULK_GROUP: Final = "twofold-bulk"
"""What librdkafka's consumers call themselves, for they must; nothing is ever kept under it."""

_LOOKED_AT: Final[tuple[Operation, ...]] = ("Describe", "DescribeConfigs")


@dataclass(frozen=True, slots=True)
class Principal:
    """
    Who connects.

    Attributes:
        name: In this project's words; the user in Kafka is ``twofold-<name>``.
        what: Who that is, for people.
        reads: Topics whose records it may read.
        writes: Topics that it may append to.
        groups: Consumer groups whose progress it keeps.
        watches: Consumer groups whose progress it may see.
        checks: Whether it looks at every topic's settings, as each service does when it starts.
    """

    name: str
    what: str
    reads: tuple[Topic, ...] = field(default=(), hash=False)
    writes: tuple[Topic, ...] = field(default=(), hash=False)
    groups: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()
    checks: bool = True

    @property
    def user(self) -> str:
        """Its name in Kafka."""
        return f"twofold-{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One line of the broker's list."""

    user: str
    kind: Kind
    name: str
    operation: Operation


PRINCIPALS: Final = (
    Principal(
        "auth",
        "twofold auth",
        reads=(topics.EVENTS,),
        writes=(topics.EVENTS, topics.STRANGERS, topics.VAULT),
    ),
    Principal(
        "staff",
        "twofold staff",
        reads=(topics.EVENTS, topics.COMMANDS),
        writes=(
            topics.EVENTS, topics.VAULT, topics.COMMANDS, topics.OUTCOMES, topics.DEAD_LETTERS,
        ),
        groups=("twofold.staff",),
    ),
    Principal(
        "projections",
        "twofold project, with the vault's keeper (ticks, tombstones, entries wrapped anew)",
        reads=(topics.EVENTS, topics.STRANGERS, topics.VAULT),
        writes=(topics.EVENTS, topics.VAULT),
    ),
    Principal(
        "notify",
        "twofold notify",
        reads=(topics.EVENTS,),
        writes=(topics.STATUS,),
        groups=("twofold.notify", "twofold.status"),
    ),
    Principal(
        "auditor",
        "twofold audit, by whoever audits",
        reads=(topics.EVENTS, topics.CHECKPOINTS),
        writes=(topics.CHECKPOINTS,),
    ),
    Principal(
        "publisher",
        "programs that send signed admin commands",
        reads=(topics.OUTCOMES,),
        writes=(topics.COMMANDS,),
        checks=False,
    ),
    Principal(
        "reader",
        "programs that keep a copy of who has two-factor authentication",
        reads=(topics.STATUS,),
        checks=False,
    ),
    Principal(
        "operator",
        "people who run doctor, keys rotate and command send (not topics create: that is admin's)",
        reads=(topics.EVENTS, topics.VAULT, topics.OUTCOMES, topics.DEAD_LETTERS),
        writes=(topics.EVENTS, topics.COMMANDS),  # Doctor's tick; commands.
        watches=("twofold.notify", "twofold.status", "twofold.staff"),
    ),
)  # fmt: skip

BY_NAME: Final[Mapping[str, Principal]] = {one.name: one for one in PRINCIPALS}


def grants(principals: tuple[Principal, ...] = PRINCIPALS) -> Iterator[Grant]:
    """Every line of the list, each once."""
    for one in principals:
        lines: set[tuple[Kind, str, Operation]] = set()
        for topic in topics.ALL if one.checks else ():
            lines |= {("topic", topic.name, operation) for operation in _LOOKED_AT}
        for topic in one.reads:
            lines |= {("topic", topic.name, "Read"), ("topic", topic.name, "Describe")}
        if one.reads:
            lines.add(("group", BULK_GROUP, "Describe"))
        for topic in one.writes:
            lines |= {("topic", topic.name, "Write"), ("topic", topic.name, "Describe")}
        for group in one.groups:
            lines |= {("group", group, "Read"), ("group", group, "Describe")}
        for group in one.watches:
            lines.add(("group", group, "Describe"))
        for kind, name, operation in sorted(lines):
            yield Grant(one.user, kind, name, operation)
