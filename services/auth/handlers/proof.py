"""
What a password and a code prove, checked against the vault's entries in force.

Both are always checked, against something made up where there's nothing to check against, so that
neither the answer nor its time tells which of them was wrong, or whether there is such a person.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from events.credentials import Enrolled
from events.person import Person
from events.vault.personal import seal_source
from events.vault.port import MissingEntryError
from events.vault.sealing import Kind, SealedEntry, UnsealingError, unseal
from services.auth.domain import totp
from services.auth.domain.passwords import could_be_password, normalised
from services.auth.handlers.ground import Caller, Ground
from services.projections.port import LoadedPerson, LoadedStranger
from services.shares import Party

Subject = LoadedPerson | LoadedStranger

_NO_SEED: Final = secrets.token_bytes(totp.SEED_BYTES)


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What was proved, and against what.

    Attributes:
        owner: Whose data key *data_key* is: a person's id, or a stranger's digest.
        credential: The password's entry that was verified against; None: there was none.
        authenticator: The authenticator's entry that was; None: there was none.
        time_step: Of the code, where it matched.
        hash_is_weaker: The password was right, and its hash is weaker than what is asked now.
    """

    owner: str
    credential: str | None
    authenticator: str | None
    password_right: bool
    time_step: int | None
    data_key: bytes = field(repr=False)
    hash_is_weaker: bool = False

    def source(self, caller: Caller) -> str:
        """Where *caller* comes from, sealed for the owner alone."""
        return seal_source(
            caller.address, caller.user_agent, owner=self.owner, data_key=self.data_key
        )

    def holds_for(self, subject: Subject) -> bool:
        """Whether what was verified against is still what is in force."""
        return (self.owner, self.credential, self.authenticator) == (
            owner_of(subject), *_entries_of(subject),
        )  # fmt: skip


class Prover:
    """Checks passwords and codes."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def prove(
        self,
        subject: Subject,
        password: str,
        code: str | None,
        party: Party,
        before: Proof | None = None,
    ) -> Proof:
        """
        Check *password* and *code*, both.

        Args:
            subject: As loaded.
            password: As given.
            code: As given; None: none was.
            party: Who gives them.
            before: An earlier proof of the same; a hash that it ran is never run again.

        Raises:
            MissingEntryError: The state has moved on; load again.
            VaultUnavailableError: The vault is away.
            BusyError: This party has too much waiting for a core.
        """
        if before is not None and before.holds_for(subject):
            return before
        opened = await self._open(subject)
        credential, authenticator = _entries_of(subject)
        same = before is not None and (before.owner, before.credential) == (
            owner_of(subject), credential,
        )  # fmt: skip
        if before is not None and same:
            right = before.password_right
        else:
            right = await self._verify(opened.password, password, party)
        step = totp.matching_time_step(opened.seed or _NO_SEED, code or "", self._ground.now())
        return Proof(
            owner=owner_of(subject),
            credential=credential,
            authenticator=authenticator,
            password_right=right,
            time_step=step if opened.seed is not None else None,
            data_key=opened.data_key,
            hash_is_weaker=right and self._is_weaker(opened.password),
        )

    async def prove_code(self, subject: Subject, code: str) -> Proof:
        """
        Check *code* alone.

        Raises:
            MissingEntryError: The state has moved on; load again.
            VaultUnavailableError: The vault is away.
        """
        opened = await self._open(subject)
        credential, authenticator = _entries_of(subject)
        step = totp.matching_time_step(opened.seed or _NO_SEED, code, self._ground.now())
        return Proof(
            owner=owner_of(subject),
            credential=credential,
            authenticator=authenticator,
            password_right=False,
            time_step=step if opened.seed is not None else None,
            data_key=opened.data_key,
        )

    async def verify(self, entry_id: str, owner: str, password: str, party: Party) -> bool:
        """Whether *password* is the one in the vault's entry."""
        found = await self._ground.vault.get(entry_id)
        return await self._verify(self._unseal(found, "password", owner).decode(), password, party)

    async def data_key(self, person: Person) -> bytes:
        """
        What is personal is sealed under it; neither password nor seed is unsealed for that.

        Raises:
            MissingEntryError: It isn't there, or not yet.
            VaultUnavailableError: The vault is away.
        """
        found = await self._ground.vault.get(person.data_key)
        return self._unseal(found, "personal", person.staff_id)

    async def _open(self, subject: Subject) -> "_Opened":
        """
        The secrets in force, in one round trip for everybody.

        Raises:
            MissingEntryError: The state has moved on; load again.
            VaultUnavailableError: The vault is away.
        """
        credential, authenticator = _entries_of(subject)
        data_key = _data_key_of(subject)
        wanted: tuple[tuple[str | None, Kind], ...] = (
            (credential, "password"), (authenticator, "authenticator"), (data_key, "personal"),
        )  # fmt: skip
        asked = [entry_id or str(uuid4()) for entry_id, _ in wanted]
        found = await self._ground.vault.find(asked)
        owner = owner_of(subject)
        password, seed, key = (
            self._secret(found, entry_id, kind, owner) for entry_id, kind in wanted
        )
        return _Opened(password.decode() if password else None, seed, key or self._stranger_key)

    @property
    def _stranger_key(self) -> bytes:
        return self._ground.keys.strangers

    async def _verify(self, stored: str | None, password: str, party: Party) -> bool:
        given = normalised(password)
        if not could_be_password(given):
            # Recorded like any other try, it waits for a core like any other: nothing else bounds
            # how fast a stranger fills the log.
            return await self._ground.passwords.verify(None, "", party)
        return await self._ground.passwords.verify(stored, given, party)

    def _is_weaker(self, stored: str | None) -> bool:
        return stored is not None and self._ground.passwords.is_weaker(stored)

    def _secret(
        self, found: Mapping[str, SealedEntry], entry_id: str | None, kind: Kind, owner: str
    ) -> bytes | None:
        if entry_id is None:
            return None
        entry = found.get(entry_id)
        if entry is None:
            raise MissingEntryError(entry_id)
        return self._unseal(entry, kind, owner)

    def _unseal(self, entry: SealedEntry, kind: Kind, owner: str) -> bytes:
        key = self._ground.keys.ring.encryption
        try:
            return unseal(entry, entry_id=entry.id, kind=kind, owner=owner, key=key)
        except UnsealingError as error:
            raise MissingEntryError(entry.id) from error


@dataclass(frozen=True, slots=True)
class _Opened:
    """
    Secrets in force.

    Attributes:
        password: PHC string; None: there's no password.
        seed: Of the authenticator; None: there's none.
        data_key: The person's, or the strangers'.
    """

    password: str | None = field(repr=False)
    seed: bytes | None = field(repr=False)
    data_key: bytes = field(repr=False)


def owner_of(subject: Subject) -> str:
    """Whose secrets they are."""
    if isinstance(subject, LoadedStranger):
        return subject.username_digest
    return subject.person.staff_id


def authenticator_of(person: Person) -> str | None:
    """The vault's entry with the seed in force."""
    factor = person.second_factor
    return factor.authenticator if isinstance(factor, Enrolled) else None


def _entries_of(subject: Subject) -> tuple[str | None, str | None]:
    if isinstance(subject, LoadedStranger):
        return None, None
    person = subject.person
    credential = person.password.credential if person.password is not None else None
    return credential, authenticator_of(person)


def _data_key_of(subject: Subject) -> str | None:
    if isinstance(subject, LoadedStranger) or subject.person.forgotten:
        return None
    return subject.person.data_key
