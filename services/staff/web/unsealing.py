"""Who people are, unsealed for administrators and support; never for API keys, never logged."""

from collections.abc import Mapping, Sequence

import structlog

from events.facts import Counted
from events.keys import RotatingKey
from events.person import Person
from events.vault.personal import Details, unseal_details, unseal_source, unseal_text
from events.vault.port import Vault
from events.vault.sealing import SealedEntry, UnsealingError, unseal
from services.projections.port import LoginRow

Names = Details

log = structlog.get_logger(__name__)


async def names_of(people: Sequence[Person], vault: Vault, key: RotatingKey) -> Mapping[str, Names]:
    """Details by staff id, of those who aren't forgotten, and whose own open."""
    entries = await vault.find([person.data_key for person in people if not person.forgotten])
    found = {}
    for person in people:
        data_key = _data_key(person, entries.get(person.data_key), key)
        if data_key is None or person.forgotten:
            continue
        try:
            found[person.staff_id] = unseal_details(
                person.details, owner=person.staff_id, data_key=data_key
            )
        except UnsealingError as error:
            log.warning("details.sealed", staff_id=person.staff_id, reason=str(error))
    return found


async def reasons_of(
    history: Sequence[Counted], person: Person, vault: Vault, key: RotatingKey
) -> Mapping[str, str]:
    """Reasons by their events' ids, where the person isn't forgotten."""
    if person.forgotten:
        return {}
    entries = await vault.find([person.data_key])
    data_key = _data_key(person, entries.get(person.data_key), key)
    if data_key is None:
        return {}
    reasons = {}
    for counted in history:
        sealed = getattr(counted.fact, "reason", None)
        if sealed:
            try:
                reasons[counted.id] = unseal_text(
                    sealed, field="reason", owner=person.staff_id, data_key=data_key
                )
            except UnsealingError:
                continue
    return reasons


async def sources_of(
    logins: Sequence[LoginRow], person: Person, vault: Vault, key: RotatingKey
) -> Sequence[tuple[str, str]]:
    """IP address and user agent of each of *logins*; empty where they can't be told any more."""
    entries = {} if person.forgotten else await vault.find([person.data_key])
    data_key = _data_key(person, entries.get(person.data_key), key)
    return [_source(row, person, data_key) for row in logins]


def _source(row: LoginRow, person: Person, data_key: bytes | None) -> tuple[str, str]:
    if data_key is None:
        return "", ""
    try:
        return unseal_source(row.source, owner=person.staff_id, data_key=data_key)
    except UnsealingError:
        return "", ""


def _data_key(person: Person, entry: SealedEntry | None, key: RotatingKey) -> bytes | None:
    """None where there is none: also where it doesn't open, which must hide nobody else."""
    if entry is None:
        return None
    about = {"entry_id": person.data_key, "owner": person.staff_id}
    try:
        return unseal(entry, **about, kind="personal", key=key)
    except UnsealingError as error:
        log.warning("data_key.sealed", staff_id=person.staff_id, reason=str(error))
        return None
