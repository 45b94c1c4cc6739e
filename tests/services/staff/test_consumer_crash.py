"""What a consumer that dies leaves behind."""

import asyncio
import json

from events import streams
from events.log.port import AppendUnknownError
from services.staff.ports import Answered, DeadLetter
from tests.services.staff.office import Office


class _Dies:
    """An outlet that fails as a process that dies before it has published would."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def outcome(self, answered: Answered) -> None:
        self.reached.set()
        raise AppendUnknownError(answered.outcome.command_id)

    async def dead_letter(self, letter: DeadLetter) -> None:
        raise AppendUnknownError(letter.reason)


class TestACrash:
    async def test_between_append_and_outcome_leaves_one_effect_and_its_outcome(
        self, office: Office
    ) -> None:
        async with office.consuming():
            acme = await office.organisation()
            sam = await office.join(acme)
        value = office.write("deactivate_staff", office.about(sam))
        command_id = json.loads(value)["id"]
        dies = _Dies()
        async with office.consuming(dies):
            await office.put(value)
            await asyncio.wait_for(dies.reached.wait(), 20)
        [row] = await office.world.queries.outcomes(command_id, office.operator.id)
        assert row.outcome == "accepted"
        async with office.consuming():
            outcome = await office.outcome(command_id)
        assert outcome["position"] == str(row.position)
        names = await office.counted(streams.account(acme, sam.staff_id))
        assert names.count("staff_deactivated") == 1

    async def test_of_nothing_leaves_nothing_to_be_done_again(self, office: Office) -> None:
        async with office.consuming():
            acme = await office.organisation()
            await office.all_committed()
        seen = len(office.outcomes.records)
        async with office.consuming():
            await office.organisation()
        after = [one["data"]["position"] for _, one in office.outcomes.records[seen:]]
        assert len(after) == 1
        assert acme
