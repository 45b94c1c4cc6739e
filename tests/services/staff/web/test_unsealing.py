"""Who people are, unsealed: what of one doesn't open hides nobody else."""

from dataclasses import replace

import pytest

from events import keys
from events.person import Person
from events.vault.memory import MemoryVault
from events.vault.personal import Details, seal_details
from events.vault.sealing import SealedEntry, seal
from services.staff.web.unsealing import names_of
from tests.services.staff.people import NOW, person

KEY = keys.generate().encryption
DATA_KEY = b"d" * 32


def named(username: str) -> Person:
    one = person()
    details = Details(username, f"{username}@example.org", username.title())
    sealed = seal_details(details, owner=one.staff_id, data_key=DATA_KEY)
    return one.model_copy(update={"details": sealed})


def entry_of(one: Person, data_key: bytes = DATA_KEY) -> SealedEntry:
    return seal(
        data_key, entry_id=one.data_key, kind="personal", owner=one.staff_id, deadline=NOW, key=KEY
    )


@pytest.mark.parametrize("case", ["another wrapping", "another data key", "none"])
async def test_one_whose_entry_does_not_open_is_as_one_without(case: str) -> None:
    ada, eve, zoe = named("ada"), named("eve"), named("zoe")
    vault = MemoryVault()
    await vault.put(entry_of(ada))
    await vault.put(entry_of(zoe))
    if case == "another wrapping":
        await vault.put(replace(entry_of(eve), key_id="k0", wrapped_key=b"made up"))
    elif case == "another data key":
        await vault.put(entry_of(eve, b"e" * 32))
    names = await names_of([ada, eve, zoe], vault, KEY)
    assert {staff_id: one.username for staff_id, one in names.items()} == {
        ada.staff_id: "ada",
        zoe.staff_id: "zoe",
    }
