"""
Finishing a login: one decision on password and code together, after both were checked.

| password | person                       | code            | outcome                 | answer    |
|----------|------------------------------|-----------------|-------------------------|-----------|
| wrong    | any                          | any             | wrong_password          | refused   |
| right    | deactivated                  | any             | deactivated             | refused   |
| right    | 100 wrong, no known device   | any             | password_disabled       | refused   |
| right    | enrolled, suspended          | any             | authenticator_suspended | refused   |
| right    | enrolled, codes paused       | any             | codes_paused            | refused   |
| right    | enrolled                     | none, wrong     | wrong_code              | refused   |
| right    | enrolled                     | used before     | code_already_used       | refused   |
| right    | reset required               | right or no 2FA | reset_required          | link sent |
| right    | not enrolled, mandatory      | -               | two_factor_mandatory    | link sent |
| right    | password too old             | right or no 2FA | password_expired        | change it |
| right    | otherwise                    | right or no 2FA | succeeded               | logged in |
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from events import streams
from events.credentials import Failures
from events.log.proposal import Draft
from events.organisation import Policy
from events.person import Person
from events.staff import CodeChecked, LoginAttempted, LoginOutcome, PasswordRehashed, SessionStarted
from services.auth.domain import throttle
from services.auth.domain.decision import (
    Decision,
    NewLink,
    account,
    codes,
    earliest,
    guesses,
    link_issued,
    organisation,
)
from services.auth.domain.errors import StepUpUnavailableError, TooManyAttemptsError

_NONE: Final = Failures()

CodeRefusal = Literal["wrong_code", "code_already_used", "codes_paused", "authenticator_suspended"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What was proved by what was given.

    Attributes:
        password_right: It verified against the password in force.
        time_step: Of the code, where it matched the authenticator in force.
        source: Where it came from, sealed.
        device: Id of a device that logged this person in before, where it showed that.
    """

    password_right: bool
    time_step: int | None
    source: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class NewSession:
    """
    Ids for what a success opens, made ready by the handler.

    Attributes:
        session: The session's id.
        token_digest: SHA-256 of its token.
        device: Id of the device, the known one or a new one.
    """

    session: str
    token_digest: str
    device: str


def refuse_while_paused(
    person: Person, device: str | None, now: datetime, before: Failures = _NONE
) -> None:
    """
    Before anything is hashed, and again on each load: a paused try is not even looked at.

    Args:
        person: As loaded.
        device: The known device that it comes from.
        now: The decision's clock.
        before: Failed logins with the username while nobody held it: a pause that ended as somebody
            got the name would tell whoever brought it about.

    Raises:
        TooManyAttemptsError: Failed logins pause this username, or this device of its owner.
    """
    lane = throttle.lane(person, device)
    pause = throttle.login_pause(lane.beside(before) if device is None else lane, now)
    if pause > timedelta(0):
        raise TooManyAttemptsError(pause)


def finish_login(
    person: Person,
    policy: Policy,
    evidence: Evidence,
    new: NewSession,
    link: NewLink,
    now: datetime,
) -> tuple[LoginOutcome, Decision]:
    """
    Decide a login.

    Args:
        person: As loaded.
        policy: Of their organisation.
        evidence: What was proved.
        new: For a success.
        link: For where only a link leads on.
        now: The decision's clock.

    Returns:
        The outcome, and what to record before anybody is told.

    Raises:
        TooManyAttemptsError: It is paused.
    """
    refuse_while_paused(person, evidence.device, now)
    outcome = _outcome(person, policy, evidence, now)
    if outcome == "wrong_password":
        fact = LoginAttempted(outcome=outcome, source=evidence.source, device=evidence.device)
        return outcome, Decision([Draft(guesses(person), fact)])
    accepted = outcome in {
        "succeeded", "password_expired", "reset_required", "two_factor_mandatory",
    }  # fmt: skip
    succeeded = outcome == "succeeded"
    fact = LoginAttempted(
        outcome=outcome,
        source=evidence.source,
        time_step=evidence.time_step if accepted and person.enrolled else None,
        session=SessionStarted(
            id=new.session, token_digest=new.token_digest, two_factor=person.enrolled
        )
        if succeeded
        else None,
        device=new.device if succeeded else evidence.device,
    )
    drafts = [Draft(codes(person), fact)]
    if outcome in {"reset_required", "two_factor_mandatory"} and throttle.may_have_link(
        person, now
    ):
        # Not "required", which is an administrator's alone and isn't limited to three an hour.
        cause: Literal["mandatory", "asked_for"]
        cause = "mandatory" if outcome == "two_factor_mandatory" else "asked_for"
        drafts.append(link_issued(person, link, cause, now))
    basis = {account(person), organisation(person)}
    if accepted and evidence.device is None:
        basis.add(guesses(person))
    return outcome, Decision(drafts, frozenset(basis), _lapses(person, policy, now))


def hash_again(person: Person, verified: str, credential: str) -> Decision:
    """
    Decide that a password's new hash takes the place of its weaker one.

    Args:
        person: As loaded.
        verified: The vault's entry that the password was verified against at the login.
        credential: The entry with its new hash.

    Returns:
        Nothing to record, where another password or hash has come first.
    """
    password = person.password
    if not person.active or password is None or password.credential != verified:
        return Decision()
    return Decision([Draft(account(person), PasswordRehashed(credential=credential))])


def password_expires(person: Person, policy: Policy) -> datetime | None:
    """When the password in force grows too old; None: never, or there is none."""
    if person.password is None or policy.max_age_days is None:
        return None
    return person.password.since + timedelta(days=policy.max_age_days)


def attempt_of_stranger(username_digest: str, source: str) -> Decision:
    """A login with a username that nobody holds is recorded as one with a wrong password is."""
    fact = LoginAttempted(outcome="wrong_password", source=source)
    return Decision([Draft(streams.stranger(username_digest), fact)])


def refuse_before_step_up(person: Person, device: str | None, now: datetime) -> None:
    """
    Before anything is hashed, and again on each load.

    Raises:
        TooManyAttemptsError: It is paused.
        StepUpUnavailableError: The person has no authenticator.
    """
    refuse_while_paused(person, device, now)
    if not person.enrolled:
        raise StepUpUnavailableError


def step_up(
    person: Person,
    session_id: str,
    token_digest: str | None,
    evidence: Evidence,
    now: datetime,
) -> tuple[bool, Decision]:
    """
    Decide a session's step-up: password and code proved afresh.

    It relies on the session's stream, which begins with its end: whoever logged out first wins. Two
    can't both renew a session, as both would follow one head of the person's codes.

    Args:
        person: As loaded.
        session_id: The session's, by the token that it has as loaded.
        token_digest: Of the token that it is to have from here on; None: it keeps the one it has.
        evidence: What was proved.
        now: The decision's clock.

    Returns:
        Whether it is granted, and what to record first.

    Raises:
        TooManyAttemptsError: It is paused.
        StepUpUnavailableError: The person has no authenticator.
    """
    refuse_before_step_up(person, evidence.device, now)
    if not evidence.password_right:
        wrong = LoginAttempted(
            outcome="wrong_password",
            source=evidence.source,
            device=evidence.device,
            reauthentication=True,
        )
        return False, Decision([Draft(guesses(person), wrong)])
    refusal = _code_refusal(person, evidence, now)
    fact = CodeChecked(
        purpose="step_up",
        outcome=refusal or "accepted",
        source=evidence.source,
        time_step=None if refusal else evidence.time_step,
        session=session_id,
        token_digest=None if refusal else token_digest,
    )
    ended = streams.session(person.organisation_id, session_id)
    return not refusal, Decision([Draft(codes(person), fact)], frozenset({account(person), ended}))


def _outcome(person: Person, policy: Policy, evidence: Evidence, now: datetime) -> LoginOutcome:
    if not evidence.password_right:
        return "wrong_password"
    if not person.active:
        return "deactivated"
    if throttle.password_disabled(person, evidence.device):
        return "password_disabled"
    if person.enrolled and (refusal := _code_refusal(person, evidence, now)):
        return refusal
    if person.reset_required:
        return "reset_required"
    if not person.enrolled and policy.mandatory_at(now):
        return "two_factor_mandatory"
    expires = password_expires(person, policy)
    if expires is not None and now >= expires:
        return "password_expired"
    return "succeeded"


def _code_refusal(person: Person, evidence: Evidence, now: datetime) -> CodeRefusal | None:
    if person.suspended:
        return "authenticator_suspended"
    if throttle.codes_paused(person.wrong_codes, now):
        return "codes_paused"
    if evidence.time_step is None:
        return "wrong_code"
    if evidence.time_step <= person.last_time_step:
        return "code_already_used"
    return None


def _lapses(person: Person, policy: Policy, now: datetime) -> datetime | None:
    """A policy's start and a password's expiry make no event: no decision outlives them."""
    expires = password_expires(person, policy)
    return earliest(
        None if person.enrolled else policy.mandatory_from(now),
        expires if expires is not None and now < expires else None,
    )
