"""What a command is decided on, and what a decision comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events import streams
from events.facts import Draft
from events.organisation import Organisation
from events.person import Person
from services.staff.domain.errors import (
    ForgottenError,
    LastAdministratorError,
    NotPermittedError,
    UnknownOrganisationError,
    UnknownStaffError,
)
from services.staff.domain.rights import Sender


@dataclass(frozen=True, slots=True)
class Situation:
    """
    The organisation and the person that a command is about.

    Attributes:
        organisation: None where it isn't registered.
        target: The person it is about; None where the organisation has none of that id.
        administrators: Other active administrators of the organisation than the target.
        sender: Who commands.
        home: Id of support's own organisation.
        now: The clock that decisions see.
        clock: The time of the organisation's partition, as loaded.
    """

    organisation: Organisation | None
    target: Person | None
    administrators: Sequence[str]
    sender: Sender
    home: str
    now: datetime
    clock: datetime

    def registered(self) -> Organisation:
        """
        The organisation.

        Raises:
            UnknownOrganisationError: It isn't registered.
        """
        if self.organisation is None:
            raise UnknownOrganisationError
        return self.organisation

    def somebody(self) -> Person:
        """
        The person that the command is about.

        Raises:
            UnknownOrganisationError: The organisation isn't registered.
            UnknownStaffError: It has nobody of that id.
            ForgottenError: They are forgotten.
            NotPermittedError: They are of support, whom the sender doesn't look after.
        """
        self.registered()
        if self.target is None:
            raise UnknownStaffError
        if self.target.role == "support" and not self.sender.looks_after_support:
            raise NotPermittedError
        if self.target.forgotten:
            raise ForgottenError
        return self.target

    def one_administrator_remains(self) -> frozenset[str]:
        """
        The account of one administrator who remains when the target is none any more.

        Returns:
            Its stream, which the decision relies on; none where the target is no administrator.

        Raises:
            LastAdministratorError: Nobody else is.
        """
        target = self.somebody()
        if target.role != "administrator" or not target.active:
            return frozenset()
        if not self.administrators:
            raise LastAdministratorError
        # The one who acts, where it is one: their account is relied on anyway.
        acting = self.sender.staff_id
        remaining = acting if acting in self.administrators else self.administrators[0]
        return frozenset({streams.account(target.organisation_id, str(remaining))})


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What follows from a command that is accepted.

    Attributes:
        effects: Events, in order.
        basis: Other streams of the organisation that it relies on.
        lapses: When something that it relies on ceases to hold by itself.
    """

    effects: Sequence[Draft]
    basis: frozenset[str] = frozenset()
    lapses: datetime | None = None
