"""One halted partition of the history, and the commands of all the others."""

from typing import Final

from tests.services.projections.test_projector import unknown_type
from tests.services.projections.worlds import World, until
from tests.services.staff.office import Office
from tests.services.staff.people import uuid

HALTED, OTHER = 1, 0
POLICY: Final = {"max_age_days": 90, "reason": "As agreed"}


def organisation_in(world: World, partition: int) -> str:
    """Give an organisation's id that belongs there."""
    found = uuid()
    while world.partition(found) != partition:
        found = uuid()
    return found


async def test_whoever_takes_commands_up_waits_for_no_halted_partition(office: Office) -> None:
    """The command's own stream is what keeps it from counting twice, however little is folded."""
    elsewhere = organisation_in(office.world, OTHER)
    async with office.consuming():
        await office.organisation(elsewhere)

    async def is_halted() -> bool:
        return bool(await office.world.queries.halted())

    newer = unknown_type(office.world, organisation_in(office.world, HALTED))
    await office.world.log.append(HALTED, [newer])
    await until(is_halted)
    async with office.consuming():  # Another process takes the partitions over.
        outcome = await office.send("set_password_expiry", {"organisation_id": elsewhere} | POLICY)
    assert outcome["outcome"] == "accepted"
