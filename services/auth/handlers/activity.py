"""What happened at somebody's own logins lately."""

from dataclasses import dataclass
from datetime import datetime

from events.vault.personal import unseal_source
from events.vault.sealing import UnsealingError
from services.auth.handlers.ground import Ground
from services.auth.handlers.proof import Prover
from services.projections.port import LoadedPerson, Queries


@dataclass(frozen=True, slots=True)
class Activity:
    """
    One try to log in.

    Attributes:
        outcome: As `events.staff.LoginOutcome`.
        address: IP address; empty where it can't be told any more.
        user_agent: As sent.
    """

    at: datetime
    outcome: str
    two_factor: bool
    address: str
    user_agent: str


class Activities:
    """Reads people's own login history."""

    def __init__(self, ground: Ground, queries: Queries) -> None:
        self._queries, self._prover = queries, Prover(ground)

    async def latest(self, loaded: LoadedPerson, limit: int = 10) -> list[Activity]:
        """
        The newest first.

        Raises:
            VaultUnavailableError: The vault is away, or holds no data key of theirs.
            ProjectionUnavailableError: The projections can't be asked.
        """
        person = loaded.person
        lines, _ = await self._queries.logins(person.organisation_id, person.staff_id, limit)
        data_key = await self._prover.data_key(person)
        found = []
        for line in lines:
            try:
                address, agent = unseal_source(
                    line.source, owner=person.staff_id, data_key=data_key
                )
            except UnsealingError:
                address, agent = "", ""
            found.append(Activity(line.at, line.outcome, line.two_factor, address, agent))
        return found
