"""Why a command is refused: a permanent word for programs, and a sentence for people."""

from typing import ClassVar


class RefusedError(Exception):
    """
    Never raised itself.

    Attributes:
        reason: Permanent; part of the contract with publishers.
        detail: Without personal data, so that it can stand in the history.
    """

    reason: ClassVar[str]
    detail: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.reason)


# ---- About the command itself -------------------------------------------------------------------


class ExpiredError(RefusedError):
    reason = "expired"
    detail = "The command came after its expiry."


class ExpiryTooFarError(RefusedError):
    reason = "expiry-too-far"
    detail = "A command's expiry may lie 24 hours ahead at most."


class WrongAudienceError(RefusedError):
    reason = "wrong-audience"
    detail = "The command is meant for another installation or topic."


class DifferentCommandSameIdError(RefusedError):
    reason = "different-command-same-id"
    detail = "Another command was published under this id before."


# ---- About who sent it --------------------------------------------------------------------------


class NotPermittedError(RefusedError):
    reason = "not-permitted"
    detail = "Whoever sent this may not do it."


class SessionEndedError(RefusedError):
    reason = "session-ended"
    detail = "The session that this was sent from holds no more, or was made without 2FA."


class StepUpRequiredError(RefusedError):
    reason = "step-up-required"
    detail = "This needs the password and a code given in the last ten minutes."


class OnYourselfError(RefusedError):
    reason = "on-yourself"
    detail = "Nobody may do this to themself."


# ---- About what is there ------------------------------------------------------------------------


class UnknownOrganisationError(RefusedError):
    reason = "unknown-organisation"
    detail = "There is no such organisation."


class UnknownStaffError(RefusedError):
    reason = "unknown-staff"
    detail = "There is nobody of this id in the organisation."


class AlreadyRegisteredError(RefusedError):
    reason = "already-registered"
    detail = "This id is registered already."


class UsernameTakenError(RefusedError):
    reason = "username-taken"
    detail = "Somebody has this username."


class UsernameNotYetFreeError(RefusedError):
    reason = "username-not-yet-free"
    detail = (
        "Somebody had this username, or asked for it, within the last ten seconds;"
        " ask again after that."
    )


class ForgottenError(RefusedError):
    reason = "forgotten"
    detail = "This person asked to be forgotten, and was."


class DeactivatedError(RefusedError):
    reason = "deactivated"
    detail = "This person is deactivated; reactivate them first."


class AlreadyDeactivatedError(RefusedError):
    reason = "already-deactivated"
    detail = "This person is deactivated already."


class AlreadyActiveError(RefusedError):
    reason = "already-active"
    detail = "This person is active already."


class AlreadySetError(RefusedError):
    reason = "already-set"
    detail = "It is so already."


class NothingChangesError(RefusedError):
    reason = "nothing-changes"
    detail = "The details are the same already."


class NotEnrolledError(RefusedError):
    reason = "not-enrolled"
    detail = "This person has no two-factor authentication to disable."


class LastAdministratorError(RefusedError):
    reason = "last-administrator"
    detail = "An organisation keeps at least one active administrator."


class HomeOrganisationError(RefusedError):
    reason = "home-organisation"
    detail = "In support's own organisation, two-factor authentication is always mandatory."


class SupportElsewhereError(RefusedError):
    reason = "support-elsewhere"
    detail = "The role support exists in support's own organisation alone."


class StartWithoutMandatoryError(RefusedError):
    reason = "start-without-mandatory"
    detail = "A start date goes with making two-factor authentication mandatory alone."
