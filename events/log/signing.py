"""Signing records by the key that is current at each moment."""

from datetime import datetime

from events.keys import RotatingKey
from events.log.proposal import Batch, Proposal, Signer


class RotatingSigner:
    """A `Signer` whose key follows the key ring."""

    def __init__(self, source: str, key: RotatingKey, partitions: int) -> None:
        """
        Args:
            source: Such as ``twofold/auth``.
            key: The writers' MAC keys; changes within.
            partitions: The topic's frozen count.
        """
        self._source, self._key, self._partitions = source, key, partitions

    def batch(self, proposal: Proposal, now: datetime) -> Batch:
        """
        Write *proposal* as records.

        Raises:
            ValueError: Its streams live in several partitions.
        """
        signer = Signer(self._source, self._key.current, self._key.key, self._partitions)
        return signer.batch(proposal, now)
