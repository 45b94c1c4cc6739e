"""New secrets in the vault: there before the event that names them, and for longer than it may."""

from events.log.proposal import PATIENCE
from events.vault.sealing import Kind, seal
from services.auth.domain.decision import Decision, earliest
from services.auth.handlers.ground import Ground, real_now
from services.projections.port import LoadedPerson


class NewEntries:
    """The entries of one try. A lost try's are named by no event, and the keeper forgets them."""

    def __init__(self, ground: Ground, loaded: LoadedPerson) -> None:
        """
        Args:
            ground: With the vault.
            loaded: Whose they are, as the try was decided on.
        """
        self._ground, self._owner = ground, loaded.person.staff_id
        self._deadline = max(real_now(), loaded.place.clock) + 2 * PATIENCE

    async def put(self, entry_id: str, kind: Kind, secret: bytes) -> None:
        """
        Seal *secret* under an id that no other try has, and wait until it is there.

        Raises:
            VaultUnavailableError: The vault is away.
        """
        entry = seal(
            secret,
            entry_id=entry_id,
            kind=kind,
            owner=self._owner,
            deadline=self._deadline,
            key=self._ground.keys.ring.encryption,
        )
        await self._ground.vault.put(entry)

    def bind(self, decided: Decision) -> Decision:
        """The same decision, which can't come to count once its entries may be forgotten."""
        lapses = earliest(decided.lapses, self._deadline + self._ground.clock_ahead)
        return Decision(decided.drafts, decided.basis, lapses)
