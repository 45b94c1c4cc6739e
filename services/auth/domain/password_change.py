"""
A new password, and the choice about 2FA that is offered with each one.

| person       | policy    | options                                |
|--------------|-----------|----------------------------------------|
| not enrolled | optional  | no_thanks, setup_new                   |
| not enrolled | mandatory | setup_new                              |
| enrolled     | optional  | no_thanks, keep_existing, setup_new    |
| enrolled     | mandatory | keep_existing, setup_new               |
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from events.credentials import Link
from events.log.proposal import Draft
from events.organisation import Policy
from events.person import Person
from events.staff import (
    AuthenticatorProposed,
    Choice,
    CodeChecked,
    PasswordLinkKilled,
    PasswordRepeated,
    PasswordSet,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from services.auth.domain import throttle
from services.auth.domain.decision import (
    Decision,
    NewLink,
    account,
    codes,
    earliest,
    link_issued,
    links,
    organisation,
)
from services.auth.domain.errors import (
    ChangeUsedUpError,
    ChoiceUnavailableError,
    CodeRequiredError,
    TicketDeadError,
    WrongCodeError,
)


@dataclass(frozen=True, slots=True)
class Change:
    """
    An opened password change, as its ticket tells it.

    Attributes:
        change: Its id.
        credential_version: The person's when it was opened; once that moves, the change is dead.
        origin: By an e-mailed link, or from a login with an expired password.
        link: The link's id, where it came by one.
        expires: The link's own end, or 30 minutes after the login.
    """

    change: str
    credential_version: int
    origin: Literal["link", "expired"]
    link: str | None
    expires: datetime

    @property
    def device(self) -> str | None:
        """
        The device that a change by a link makes known, under the change's own id.

        Whoever finished it holds the mailbox, and an authenticator where there is one: strangers'
        failures on the username then keep them out of no login with the password that they set.
        """
        return None if self.link is None else self.change


@dataclass(frozen=True, slots=True)
class NewCredentials:
    """
    What is to be in force, already sealed in the vault.

    Attributes:
        credential: Entry with the password's hash.
        choice: What the person chose.
        candidate: Id of the authenticator that was shown, for `setup_new`.
        authenticator: Entry with its seed.
        time_step: Of the code made from it; None where the code was wrong.
    """

    credential: str
    choice: Choice
    candidate: str | None = None
    authenticator: str | None = None
    time_step: int | None = None


def options(person: Person, policy: Policy, now: datetime) -> tuple[Choice, ...]:
    """What is offered, in the order of the page."""
    offered: list[Choice] = []
    if not policy.mandatory_at(now):
        offered.append("no_thanks")
    if person.enrolled:
        offered.append("keep_existing")
    return (*offered, "setup_new")


def ask_for_link(person: Person, new: NewLink, now: datetime) -> Decision:
    """A person asks for a link; nothing happens for the inactive, or beyond `may_have_link`."""
    if not person.active or not throttle.may_have_link(person, now):
        return Decision()
    return Decision([link_issued(person, new, "asked_for", now)], frozenset({account(person)}))


def live_link(person: Person, now: datetime) -> Link:
    """
    The person's newest link, if it still leads anywhere.

    Raises:
        TicketDeadError: It is spent, killed, or too old; or the person isn't active.
    """
    link = person.link
    if link is None or not throttle.link_is_good(person, now) or not person.active:
        raise TicketDeadError
    return link


def check_link_code(
    person: Person, code: str | None, time_step: int | None, source: str, now: datetime
) -> tuple[bool, Decision]:
    """
    Decide whether a link opens: an enrolled person gives a current code before any choice is shown.

    Args:
        code: As given; None: none was.
        time_step: Of the code, where it matched the authenticator in force.
        source: Where it came from, sealed.

    Returns:
        Whether it opens, and what to record first.

    Raises:
        TicketDeadError: The link leads nowhere any more.
        CodeRequiredError: A code is needed, and none was given.
    """
    link = live_link(person, now)
    if not person.enrolled:
        return True, Decision()
    if code is None:
        raise CodeRequiredError
    outcome: Literal["accepted", "wrong_code", "code_already_used", "authenticator_suspended"]
    if person.suspended:
        outcome = "authenticator_suspended"
    elif time_step is None:
        outcome = "wrong_code"
    elif time_step <= person.last_time_step:
        outcome = "code_already_used"
    else:
        outcome = "accepted"
    accepted = outcome == "accepted"
    checked = CodeChecked(
        purpose="link",
        outcome=outcome,
        source=source,
        time_step=time_step if accepted else None,
        link=link.id,
    )
    drafts = [Draft(codes(person), checked)]
    # Whatever was wrong with it: nobody appends to the history without end.
    if not accepted and link.wrong_codes + 1 >= throttle.LINK_KILLED_AT:
        killed = PasswordLinkKilled(link=link.id, cause="wrong_codes")
        drafts.append(Draft(links(person), killed))
    return accepted, Decision(drafts, frozenset({account(person)}), link.expires)


def propose_authenticator(
    person: Person, change: Change, candidate: str, now: datetime
) -> Decision:
    """
    Show a new authenticator: from now on only this one can be confirmed.

    Raises:
        TicketDeadError: The change is over, or has shown too many.
    """
    check_open(person, change, now)
    if person.disclosed >= throttle.DISCLOSED_AT_MOST:
        raise ChangeUsedUpError
    fact = AuthenticatorProposed(change=change.change, candidate=candidate)
    return Decision([Draft(links(person), fact)], frozenset({account(person)}), change.expires)


def finish_change(
    person: Person, policy: Policy, change: Change, new: NewCredentials, now: datetime
) -> Decision:
    """
    Decide a new password with its choice: everything in one batch, or nothing.

    Raises:
        TicketDeadError: The change is over, or another authenticator was shown since; or 2FA became
            mandatory meanwhile, and a password alone had opened it.
        ChoiceUnavailableError: Not, or no longer, on offer.
        WrongCodeError: The first code of the new authenticator is wrong.
    """
    check_open(person, change, now)
    check_way(person, policy, change, now)
    offered = options(person, policy, now)
    if new.choice not in offered:
        raise ChoiceUnavailableError(offered)
    password = PasswordSet(
        credential=new.credential,
        choice=new.choice,
        origin=change.origin,
        link=change.link,
        device=change.device,
    )
    drafts = [Draft(account(person), password)]
    basis = {organisation(person), codes(person)}
    if change.link is not None or new.choice == "setup_new":
        basis.add(links(person))
    if new.choice == "setup_new":
        drafts.append(Draft(account(person), _enrolment(person, change, new)))
    elif new.choice == "no_thanks" and person.enrolled:
        drafts.append(Draft(account(person), TwoFactorDisabled(cause="declined")))
    by_password_alone = change.link is None and not person.enrolled
    starts = policy.mandatory_from(now) if new.choice == "no_thanks" or by_password_alone else None
    return Decision(drafts, frozenset(basis), earliest(change.expires, starts))


def repeat_password(person: Person, change: Change, source: str, now: datetime) -> Decision:
    """
    Tell that the new password is the current one: only once that counts, and the change goes on.

    A password that is set meanwhile comes first, and ends the change without an answer to this.

    Raises:
        TicketDeadError: The change is over.
    """
    check_open(person, change, now)
    drafts = [Draft(codes(person), PasswordRepeated(change=change.change, source=source))]
    basis = {account(person)} | ({links(person)} if change.link is not None else set())
    return Decision(drafts, frozenset(basis), change.expires)


def _enrolment(person: Person, change: Change, new: NewCredentials) -> TwoFactorEnrolled:
    if new.authenticator is None or person.proposed != (change.change, new.candidate):
        raise TicketDeadError
    # Another secret's codes: that a code of this time-step was used before says nothing about them.
    if new.time_step is None:
        raise WrongCodeError
    return TwoFactorEnrolled(
        authenticator=new.authenticator, method="totp", time_step=new.time_step
    )


def check_open(person: Person, change: Change, now: datetime) -> None:
    """
    Check that *change* can still be finished.

    Raises:
        TicketDeadError: It is too old, its link is, the person's credentials moved since, or it has
            disclosed too much.
    """
    if (
        not person.active
        or now >= change.expires
        or change.credential_version != person.credential_version
    ):
        raise TicketDeadError
    if change.link is not None and live_link(person, now).id != change.link:
        raise TicketDeadError
    # The last authenticator that was shown can be confirmed still.
    if person.disclosed > throttle.DISCLOSED_AT_MOST:
        raise ChangeUsedUpError


def check_way(person: Person, policy: Policy, change: Change, now: datetime) -> None:
    """
    Check that the way by which *change* came leads on: where 2FA is mandatory, no password alone.

    A thief of the password could have opened it just before that, and enrol a phone afterwards.

    Raises:
        TicketDeadError: It took no second factor and no mailbox, and 2FA is mandatory now.
    """
    if change.link is None and not person.enrolled and policy.mandatory_at(now):
        raise TicketDeadError
