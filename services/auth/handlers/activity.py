"""What happened at somebody's own logins lately."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.vault.personal import unseal_source
from events.vault.sealing import UnsealingError
from services.auth.handlers.ground import Ground
from services.auth.handlers.proof import Prover
from services.projections.port import LoadedPerson, LoginRow, Queries


@dataclass(frozen=True, slots=True)
class Activity:
    """
    One try to log in, or a code that was refused elsewhere.

    Attributes:
        purpose: As `LoginRow`'s, and so is *outcome*.
        address: IP address; empty where it can't be told any more.
        user_agent: As sent.
    """

    at: datetime
    purpose: str
    outcome: str
    two_factor: bool
    address: str
    user_agent: str


class Activities:
    """Reads people's own login history."""

    def __init__(self, ground: Ground, queries: Queries) -> None:
        self._queries, self._prover = queries, Prover(ground)

    async def latest(
        self, loaded: LoadedPerson, limit: int = 10
    ) -> tuple[Sequence[Activity], Sequence[Activity]]:
        """
        Logins, and apart from them what was refused: the newest first, *limit* of each.

        Raises:
            VaultUnavailableError: The vault is away, or holds no data key of theirs.
            ProjectionUnavailableError: The projections can't be asked.
        """
        person = loaded.person
        of = person.organisation_id, person.staff_id
        logins, _ = await self._queries.logins(*of, succeeded=True, limit=limit)
        refused, _ = await self._queries.logins(*of, succeeded=False, limit=limit)
        data_key = await self._prover.data_key(person)
        return (
            [_told(line, person.staff_id, data_key) for line in logins],
            [_told(line, person.staff_id, data_key) for line in refused],
        )


def _told(line: LoginRow, owner: str, data_key: bytes) -> Activity:
    try:
        address, agent = unseal_source(line.source, owner=owner, data_key=data_key)
    except UnsealingError:
        address, agent = "", ""
    return Activity(line.at, line.purpose, line.outcome, line.two_factor, address, agent)
