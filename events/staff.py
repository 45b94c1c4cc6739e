"""
Facts about one person of the staff: account, codes, guesses, links, sessions.

Nothing secret stands in them: credentials are named by their entry in the vault, personal data is
sealed under the person's own data key.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.facts import Digest, EntryId, Fact, Part, Sealed, Uuid
from events.moments import Moment

Role = Literal["staff", "administrator", "support"]
Choice = Literal["no_thanks", "keep_existing", "setup_new"]
TimeStep = Annotated[int, Field(ge=0, le=2**40)]
"""Steps of 30 s since the Unix epoch (RFC 6238 §4.2)."""


# ---- <org>/account/<staff> ----------------------------------------------------------------------


class StaffRegistered(Fact):
    """Somebody joined; their data key was made just before."""

    wire_name: ClassVar[str] = "twofold.staff_registered.v1"
    username_digest: Digest
    data_key: EntryId
    details: Sealed
    """Username, e-mail address and display name: the JSON of `events.vault.personal.Details`."""
    role: Role


class StaffDetailsChanged(Fact):
    """New details in full; the old address is kept so that it can be told."""

    wire_name: ClassVar[str] = "twofold.staff_details_changed.v1"
    username_digest: Digest
    details: Sealed
    changed: list[Literal["username", "email", "display_name"]]
    old_email: Sealed | None = None


class RoleChanged(Fact):
    wire_name: ClassVar[str] = "twofold.role_changed.v1"
    role: Role
    reason: Sealed


class PasswordSetV1(Fact):
    """The first shape: it made no device known."""

    wire_name: ClassVar[str] = "twofold.password_set.v1"
    credential: EntryId
    choice: Choice
    origin: Literal["link", "expired"]
    link: Uuid | None = None


class PasswordSet(PasswordSetV1):
    """
    A new password is in force; the link or login that it came by is spent.

    Attributes:
        credential: The vault's entry with the password's hash.
        choice: What the person chose about two-factor authentication, as it was offered.
        origin: By an e-mailed link, or from a login with an expired password.
        link: The link's id, where it came by one.
        device: Id of the device that it made known.
    """

    wire_name: ClassVar[str] = "twofold.password_set.v2"
    device: Uuid | None = None


def upcast_password_set(old: PasswordSetV1) -> PasswordSet:
    """Version 1 to version 2."""
    return PasswordSet(**old.model_dump())


class PasswordRehashed(Fact):
    """
    The password in force, hashed anew at a login because its hash was weaker than what is asked.

    It is no new password: its age, the credential version, sessions and links stay as they are.

    Attributes:
        credential: The vault's entry with the new hash; the one before it isn't needed any more.
    """

    wire_name: ClassVar[str] = "twofold.password_rehashed.v1"
    credential: EntryId


class TwoFactorEnrolled(Fact):
    """
    An authenticator is in force; *time_step*, of the code that proved it, is burned by this.

    Attributes:
        authenticator: The vault's entry with its seed.
        method: Named so that others can be added.
        time_step: Steps of 30 s since the Unix epoch.
    """

    wire_name: ClassVar[str] = "twofold.two_factor_enrolled.v1"
    authenticator: EntryId
    method: Literal["totp"]
    time_step: TimeStep


class TwoFactorDisabled(Fact):
    """Declined by its owner with a new password, or disabled by an administrator."""

    wire_name: ClassVar[str] = "twofold.two_factor_disabled.v1"
    cause: Literal["declined", "administrator"]
    reason: Sealed | None = None


class PasswordResetRequired(Fact):
    """The password gets nobody anywhere any more; the way on is an e-mailed link."""

    wire_name: ClassVar[str] = "twofold.password_reset_required.v1"
    reason: Sealed


class StaffDeactivated(Fact):
    wire_name: ClassVar[str] = "twofold.staff_deactivated.v1"
    reason: Sealed


class StaffReactivated(Fact):
    """Active again, without password, authenticator or session."""

    wire_name: ClassVar[str] = "twofold.staff_reactivated.v1"
    reason: Sealed


class StaffForgotten(Fact):
    """The person's data key is destroyed; what was sealed under it says nothing any more."""

    wire_name: ClassVar[str] = "twofold.staff_forgotten.v1"


# ---- <org>/codes/<staff> and <org>/guesses/<staff> ----------------------------------------------

LoginOutcome = Literal[
    # After a right password, on the person's codes:
    "succeeded",
    "password_expired",  # Both factors right; a new password is due.
    "reset_required",  # Both factors right; only a link leads on.
    "two_factor_mandatory",  # Right password, no second factor, mandatory: a link was sent.
    "wrong_code",
    "code_already_used",
    "codes_paused",
    "authenticator_suspended",
    "password_disabled",  # After a hundred wrong ones in a row; the reset link is open.
    "deactivated",
    # On the person's guesses, or a stranger's stream:
    "wrong_password",
]


class SessionStarted(Part):
    """What a login that succeeded opened."""

    id: Uuid
    token_digest: Digest
    two_factor: bool


class LoginAttempted(Fact):
    """
    Somebody tried to log in.

    Attributes:
        outcome: What became of it; the person trying is told less.
        time_step: Of the accepted code, which is burned by this; None where none was accepted.
        session: What it opened.
        device: Id of the known device it came from or that it made known.
        source: IP address and user agent, sealed.
        reauthentication: A session's step-up rather than a login.
    """

    wire_name: ClassVar[str] = "twofold.login_attempted.v1"
    outcome: LoginOutcome
    source: Sealed
    time_step: TimeStep | None = None
    session: SessionStarted | None = None
    device: Uuid | None = None
    reauthentication: bool = False


class CodeCheckedV1(Fact):
    """The first shape: a session kept its token, whatever was proved in it."""

    wire_name: ClassVar[str] = "twofold.code_checked.v1"
    purpose: Literal["link", "step_up"]
    outcome: Literal[
        "accepted", "wrong_code", "code_already_used", "codes_paused", "authenticator_suspended"
    ]
    source: Sealed
    time_step: TimeStep | None = None
    link: Uuid | None = None
    session: Uuid | None = None


class CodeChecked(CodeCheckedV1):
    """
    A code given by an e-mailed link, or for a session's step-up.

    Attributes:
        purpose: What it was given for.
        outcome: Whether it was accepted.
        time_step: Of the accepted code, which is burned by this.
        link: The link's id, for a link.
        session: The session's id, for a step-up.
        token_digest: Of the token that the session has from here on, where this renewed it; the
            one before is dead.
        source: IP address and user agent, sealed.
    """

    wire_name: ClassVar[str] = "twofold.code_checked.v2"
    token_digest: Digest | None = None


def upcast_code_checked(old: CodeCheckedV1) -> CodeChecked:
    """Version 1 to version 2."""
    return CodeChecked(**old.model_dump())


class PasswordRepeated(Fact):
    """
    In an opened change the password in force was given as the new one, and its giver told so.

    Attributes:
        change: The change, which goes on.
        source: IP address and user agent, sealed.
    """

    wire_name: ClassVar[str] = "twofold.password_repeated.v1"
    change: Uuid
    source: Sealed


# ---- <org>/links/<staff> ------------------------------------------------------------------------


class PasswordLinkIssued(Fact):
    """
    A link for a new password; its ticket derives from the link's id and a server's key.

    The id is a random one, made for this event alone: a ticket is good once.

    Attributes:
        link: The link's id.
        ticket_digest: SHA-256 of the ticket.
        cause: Why; decides the e-mail's words.
        expires: When the link dies by itself.
    """

    wire_name: ClassVar[str] = "twofold.password_link_issued.v1"
    link: Uuid
    ticket_digest: Digest
    cause: Literal["invited", "asked_for", "required", "mandatory"]
    expires: Moment


class PasswordLinkKilled(Fact):
    """Five wrong codes were given by this link."""

    wire_name: ClassVar[str] = "twofold.password_link_killed.v1"
    link: Uuid
    cause: Literal["wrong_codes"]


class AuthenticatorProposed(Fact):
    """A seed was shown to the person who changes a password; only the newest can be confirmed."""

    wire_name: ClassVar[str] = "twofold.authenticator_proposed.v1"
    change: Uuid
    candidate: Uuid


# ---- <org>/session/<id> -------------------------------------------------------------------------


class LoggedOut(Fact):
    wire_name: ClassVar[str] = "twofold.logged_out.v1"
    staff_id: Uuid
    everywhere: bool = False
