"""From a counted event to e-mails: whom to tell, at which address."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from events.facts import Counted
from events.keys import RotatingKey
from events.person import Person
from events.staff import StaffDetailsChanged, TwoFactorDisabled
from events.vault.personal import unseal_details, unseal_text
from events.vault.port import MissingEntryError
from events.vault.sealing import SealedEntry, UnsealingError, unseal
from services.notify.notices import Notice, is_for_everyone, notice
from services.notify.ports import Mailer, MailRefusedError, PeopleOf
from services.notify.writing import Writing
from services.projections.port import Follows

log = structlog.get_logger()


class Notifier:
    """Sends the e-mails that an event calls for."""

    def __init__(
        self,
        *,
        follows: Follows,
        people: PeopleOf,
        mailer: Mailer,
        writing: Writing,
        encryption: RotatingKey,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        `accepted` is how many mails the mail server has taken so far.

        Args:
            follows: Where sealed entries of the vault come from.
            people: Who is in an organisation.
            mailer: Where mail goes.
            writing: What letters are written with.
            encryption: Unseals the data keys that addresses are sealed under.
            clock: The real one.
        """
        self._follows, self._people, self._mailer = follows, people, mailer
        self._writing, self._encryption, self._clock = writing, encryption, clock
        self.accepted = 0

    async def handle(self, counted: Counted, person: Person | None) -> None:
        """
        Send what *counted* calls for.

        Args:
            counted: The event.
            person: Whom it is about; one of its audience, where it has one; or None.

        Raises:
            MailUnavailableError: It wasn't sent; nor would another be.
            MailDeferredError: It wasn't sent; others may be.
            MissingEntryError: The vault is behind the events.
        """
        due = notice(counted, person, self._clock())
        if due is None or person is None:
            return
        try:
            await self._tell(due, counted, person)
        except UnsealingError:
            # Nobody will ever be able to read it: the mails behind it mustn't wait for that.
            log.error("mail.unreadable", event_id=counted.id, notice=due.template)  # noqa: TRY400

    async def _tell(self, due: Notice, counted: Counted, person: Person) -> None:
        data_key = await self._data_key(person)
        address = _address(due, counted, person, data_key)
        if address is None:
            return
        fact = counted.fact
        if isinstance(fact, TwoFactorDisabled) and fact.cause == "administrator":
            by = await self._who(counted.actor, person.organisation_id)
            reason = _reason(fact, person, data_key)
            due = replace(due, values={**due.values, "by": by, "reason": reason})
        copy = person.staff_id if is_for_everyone(counted) else ""
        await self._send(due, counted, address, copy)

    async def _who(self, actor: str, organisation_id: str) -> str:
        """Who did it, by their role: a mailbox is no place for colleagues' names."""
        kind, _, name = actor.partition("/")
        if kind != "staff":
            return f"a connected service ({name})"
        colleague, _ = await self._people.person(organisation_id, name)
        return "the support team" if colleague is None else "an administrator of your organisation"

    async def _data_key(self, person: Person) -> bytes:
        found = await self._follows.entries([person.data_key])
        if person.data_key not in found:
            raise MissingEntryError("A person's data key isn't there, or not yet.")
        entry = SealedEntry.from_bytes(found[person.data_key])
        return unseal(
            entry,
            entry_id=person.data_key,
            kind="personal",
            owner=person.staff_id,
            key=self._encryption,
        )

    async def _send(self, due: Notice, counted: Counted, address: str, copy: str) -> None:
        try:
            await self._mailer.send(self._writing.write(due, counted, address, copy=copy))
        except MailRefusedError as error:
            log.error(  # noqa: TRY400 -- The traceback's chain could hold the address.
                "mail.refused", event_id=counted.id, notice=due.template, why=str(error)
            )
            return
        self.accepted += 1
        log.info("mail.sent", event_id=counted.id, notice=due.template)


def _reason(fact: TwoFactorDisabled, person: Person, data_key: bytes) -> str:
    if fact.reason is None:
        return "none."
    return unseal_text(fact.reason, field="reason", owner=person.staff_id, data_key=data_key)


def _address(due: Notice, counted: Counted, person: Person, data_key: bytes) -> str | None:
    if due.to != "old_address":
        return unseal_details(person.details, owner=person.staff_id, data_key=data_key).email
    fact = counted.fact
    if not isinstance(fact, StaffDetailsChanged) or fact.old_email is None:
        return None
    return unseal_text(fact.old_email, field="email", owner=person.staff_id, data_key=data_key)
