"""Making the broker's list of rights, where it keeps none; the rest is in tests/attacks."""

import pytest

from events.log.access import apply
from events.log.port import LogUnavailableError


async def test_a_broker_without_a_list_is_told_what_it_lacks(kafka: str) -> None:
    with pytest.raises(LogUnavailableError, match=r"authorizer\.class\.name"):
        await apply(kafka, {})
