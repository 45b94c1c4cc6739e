"""What each command needs before it can be decided: claims, keys, sealed words, links."""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, assert_never
from uuid import uuid4

from events import commands
from events.command_wire import CommandEnvelope
from events.commands import ChangeStaffDetails, Command, RegisterStaff
from events.keys import KeyRing
from events.person import Person
from events.vault.personal import (
    Details,
    seal_details,
    seal_text,
    unseal_details,
    username_digest,
)
from events.vault.port import Vault
from events.vault.sealing import seal, to_text, unseal
from services.projections.port import Loads
from services.staff.domain import organisation_commands, staff_commands
from services.staff.domain.errors import AlreadyRegisteredError
from services.staff.domain.situation import Decision, Situation
from services.staff.domain.staff_commands import NewDetails, NewLink, NewPerson
from services.staff.usernames import Cause, Usernames

_DATA_KEY_BYTES = 32
_FIELDS: tuple[Literal["username", "email", "display_name"], ...] = (
    "username",
    "email",
    "display_name",
)


class Deciding:
    """Makes ready what a decision needs, and decides."""

    def __init__(
        self,
        *,
        loads: Loads,
        vault: Vault,
        ring: KeyRing,
        usernames: Usernames,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """
        Args:
            loads: The projections.
            vault: For people's data keys.
            ring: Every secret key.
            usernames: Claims on usernames.
            random_bytes: The system's randomness.
        """
        self._loads, self._vault, self._ring = loads, vault, ring
        self._usernames, self._random_bytes = usernames, random_bytes

    async def decide(
        self, command: Command, situation: Situation, envelope: CommandEnvelope
    ) -> Decision:
        """
        Decide *command*, whose sender may send it.

        Raises:
            RefusedError: It is refused.
            VaultUnavailableError: Not now.
        """
        match command:
            case commands.RegisterOrganisation():
                return organisation_commands.register_organisation(command, situation)
            case commands.SetTwoFactorPolicy():
                return organisation_commands.set_two_factor_policy(command, situation)
            case commands.SetPasswordExpiry():
                return organisation_commands.set_password_expiry(command, situation)
            case RegisterStaff():
                return await self._register(command, situation, _cause(envelope))
            case ChangeStaffDetails():
                return await self._change_details(command, situation, _cause(envelope))
            case commands.ForgetStaff():
                return staff_commands.forget_staff(situation)
            case (
                commands.ChangeRole()
                | commands.DisableTwoFactor()
                | commands.RequirePasswordReset()
                | commands.DeactivateStaff()
                | commands.ReactivateStaff()
            ):
                return await self._with_reason(command, situation)
            case _:
                raise NotImplementedError(command.name)

    async def after(
        self, command: Command, person: Person | None, envelope: CommandEnvelope
    ) -> None:
        """
        Tidy up behind an accepted command: a username that nobody has any more is free again.

        What is left undone here is done by whoever wants the name next.

        Args:
            command: That was accepted.
            person: It was about, as they were before.
            envelope: The command's.
        """
        if isinstance(command, ChangeStaffDetails | commands.ForgetStaff) and person is not None:
            await self._usernames.release(person.username_digest, _cause(envelope))

    async def _with_reason(
        self,
        command: commands.ChangeRole
        | commands.DisableTwoFactor
        | commands.RequirePasswordReset
        | commands.DeactivateStaff
        | commands.ReactivateStaff,
        situation: Situation,
    ) -> Decision:
        person = situation.somebody()
        reason = seal_text(
            command.reason,
            field="reason",
            owner=person.staff_id,
            data_key=await self._data_key(person),
        )
        match command:
            case commands.ChangeRole():
                return staff_commands.change_role(command, situation, reason)
            case commands.DisableTwoFactor():
                return staff_commands.disable_two_factor(situation, reason)
            case commands.RequirePasswordReset():
                return staff_commands.require_password_reset(situation, reason, self._new_link())
            case commands.DeactivateStaff():
                return staff_commands.deactivate_staff(situation, reason)
            case commands.ReactivateStaff():
                return staff_commands.reactivate_staff(situation, reason)
            case _:
                assert_never(command)

    async def _register(
        self, command: RegisterStaff, situation: Situation, cause: Cause
    ) -> Decision:
        staff_commands.may_register(situation)
        if await self._loads.by_staff(command.staff_id) is not None:
            raise AlreadyRegisteredError  # In another organisation.
        mine = {"organisation_id": command.organisation_id, "staff_id": command.staff_id}
        clock = situation.clock
        # Of those who ask at once, whom the line above doesn't see yet, one has it.
        own_id = hmac.digest(self._ring.derive("staff-id"), command.staff_id.encode(), sha256).hex()
        id_until = await self._usernames.claim_id(own_id, **mine, clock=clock, cause=cause)
        username = username_digest(command.username, self._ring.derive("username"))
        name_until = await self._usernames.claim(username, **mine, clock=clock, cause=cause)
        claimed_until = min(id_until, name_until)
        entry_id, data_key = await self._new_data_key(command.staff_id, claimed_until)
        details = Details(command.username, command.email, command.display_name)
        new = NewPerson(
            username_digest=username,
            claimed_until=claimed_until,
            data_key=entry_id,
            details=seal_details(details, owner=command.staff_id, data_key=data_key),
        )
        return staff_commands.register_staff(command, situation, new, self._new_link())

    async def _change_details(
        self, command: ChangeStaffDetails, situation: Situation, cause: Cause
    ) -> Decision:
        person = situation.somebody()
        data_key = await self._data_key(person)
        old = unseal_details(person.details, owner=person.staff_id, data_key=data_key)
        new = Details(
            command.username or old.username,
            command.email or old.email,
            command.display_name or old.display_name,
        )
        username, claimed_until = person.username_digest, None
        if new.username != old.username:
            username = username_digest(new.username, self._ring.derive("username"))
        if username != person.username_digest:
            claimed_until = await self._usernames.claim(
                username,
                organisation_id=person.organisation_id,
                staff_id=person.staff_id,
                clock=situation.clock,
                cause=cause,
            )
        old_email = None
        if new.email != old.email:
            old_email = seal_text(
                old.email, field="email", owner=person.staff_id, data_key=data_key
            )
        return staff_commands.change_staff_details(
            situation,
            NewDetails(
                username_digest=username,
                claimed_until=claimed_until,
                details=seal_details(new, owner=person.staff_id, data_key=data_key),
                changed=tuple(f for f in _FIELDS if getattr(new, f) != getattr(old, f)),
                old_email=old_email,
            ),
        )

    async def _data_key(self, person: Person) -> bytes:
        entry = await self._vault.get(person.data_key)
        return unseal(
            entry,
            entry_id=person.data_key,
            kind="personal",
            owner=person.staff_id,
            key=self._ring.encryption,
        )

    async def _new_data_key(self, staff_id: str, deadline: datetime) -> tuple[str, bytes]:
        entry_id, data_key = str(uuid4()), self._random_bytes(_DATA_KEY_BYTES)
        await self._vault.put(
            seal(
                data_key,
                entry_id=entry_id,
                kind="personal",
                owner=staff_id,
                # A registration that relies on the claim counts before this, or never.
                deadline=deadline + timedelta(seconds=1),
                key=self._ring.encryption,
            )
        )
        return entry_id, data_key

    def _new_link(self) -> NewLink:
        link = str(uuid4())
        ticket = to_text(hmac.digest(self._ring.derive("link"), link.encode(), sha256))
        return NewLink(link, sha256(ticket.encode()).hexdigest())


def _cause(envelope: CommandEnvelope) -> Cause:
    return Cause(
        actor=envelope.actor,
        correlation_id=envelope.correlationid or envelope.id,
        causation_id=envelope.id,
    )
