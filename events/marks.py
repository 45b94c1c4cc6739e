"""Facts about the log itself, and about what became of commands."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from events.facts import Digest, Fact, Uuid

CommandName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,64}$")]


class Genesis(Fact):
    """
    The first record of a partition.

    Attributes:
        generation: Random id of the topic's generation; the same in all of its partitions.
        partitions: The topic's partition count, frozen.
    """

    wire_name: ClassVar[str] = "twofold.genesis.v1"
    generation: Uuid
    partitions: Annotated[int, Field(ge=1, le=10_000)]


class Tick(Fact):
    """Carries nothing but its append time."""

    wire_name: ClassVar[str] = "twofold.tick.v1"


class OlderKeysRetired(Fact):
    """
    From here on, nothing that an older MAC key than this record's own has made is authentic.

    It stands in the partition's own stream, and holds for that partition. Which key is meant can't
    be said otherwise than by having it: whoever stole an old key retires no newer one.
    """

    wire_name: ClassVar[str] = "twofold.older_keys_retired.v1"


class CommandAccepted(Fact):
    """
    A command took effect: its effects stand in the same batch.

    Attributes:
        name: Of the command, such as ``disable_two_factor``.
        digest: SHA-256 of its bytes, so that the same id with other bytes is known.
    """

    wire_name: ClassVar[str] = "twofold.command_accepted.v1"
    name: CommandName
    digest: Digest


class CommandRejected(Fact):
    """
    A command had no effect and never will.

    Attributes:
        name: Of the command.
        digest: SHA-256 of its bytes.
        reason: A permanent word for programs, such as ``not-enrolled``.
        detail: A sentence for people, without personal data.
    """

    wire_name: ClassVar[str] = "twofold.command_rejected.v1"
    name: CommandName
    digest: Digest
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,64}$")]
    detail: Annotated[str, StringConstraints(min_length=1, max_length=500)]
