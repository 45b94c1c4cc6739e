"""A history in which every projection moves."""

from datetime import UTC, datetime, timedelta

import pytest

from events import streams
from events.log.proposal import Draft
from events.log.writer import SupersededError
from events.marks import CommandAccepted, CommandRejected, OlderKeysRetired
from events.organisation import PasswordExpiryChanged, TwoFactorPolicyChanged
from events.staff import (
    CodeChecked,
    LoggedOut,
    LoginAttempted,
    PasswordLinkIssued,
    PasswordRehashed,
    PasswordRepeated,
    RoleChanged,
    StaffForgotten,
    TwoFactorDisabled,
)
from events.username import UsernameClaimed, UsernameReleased
from tests.services.projections.worlds import (
    PARTITIONS,
    SEALED,
    World,
    digest,
    uuid,
)


async def everything(world: World) -> None:
    """Write events that move every projection."""
    organisation = await world.organisation()
    await world.write(
        Draft(
            streams.organisation(organisation),
            TwoFactorPolicyChanged(mandatory=True, reason="Insurance"),
        )
    )
    await world.write(
        Draft(
            streams.organisation(organisation),
            PasswordExpiryChanged(reason="As agreed", max_age_days=90),
        )
    )
    username = digest()
    staff, _, _ = await world.enrolled(organisation, username_digest=username)
    account = streams.account(organisation, staff)
    claim = UsernameClaimed(
        organisation_id=organisation,
        staff_id=staff,
        registration_deadline=datetime(2026, 1, 1, tzinfo=UTC),
    )
    await world.write(Draft(streams.username(username), claim))
    other = digest()
    await world.write(Draft(streams.username(other), claim))
    await world.write(
        Draft(
            streams.username(other),
            UsernameReleased(organisation_id=organisation, staff_id=staff),
        )
    )
    sessions = []
    for step in (200, 201):
        loaded = await world.loads.by_staff(staff)
        assert loaded
        sessions.append((await world.login(loaded, step))[1])
    await world.write(
        Draft(
            streams.codes(organisation, staff),
            CodeChecked(
                purpose="step_up",
                outcome="accepted",
                source=SEALED,
                time_step=210,
                session=sessions[0].id,
                token_digest=digest(),
            ),
        )
    )
    stream = streams.session(organisation, sessions[1].id)
    await world.write(Draft(stream, LoggedOut(staff_id=staff, everywhere=True)))
    await world.write(
        Draft(
            streams.guesses(organisation, staff),
            LoginAttempted(outcome="wrong_password", source=SEALED),
        )
    )
    await world.write(
        Draft(
            streams.links(organisation, staff),
            PasswordLinkIssued(
                link=uuid(),
                ticket_digest=digest(),
                cause="asked_for",
                expires=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30),
            ),
        )
    )
    repeated = PasswordRepeated(change=uuid(), source=SEALED)
    await world.write(Draft(streams.codes(organisation, staff), repeated))
    await world.write(Draft(account, PasswordRehashed(credential=uuid())))
    await world.write(Draft(account, TwoFactorDisabled(cause="administrator", reason=SEALED)))
    await world.write(
        Draft(
            streams.command(organisation, "operator", uuid()),
            CommandAccepted(name="change_role", digest=digest()),
        ),
        Draft(account, RoleChanged(role="administrator", reason=SEALED)),
    )
    await world.write(
        Draft(
            streams.command(organisation, "operator", uuid()),
            CommandRejected(
                name="change_role", digest=digest(), reason="no-such-person", detail="Nobody."
            ),
        )
    )
    await world.write(Draft(account, StaffForgotten()))
    for partition in range(PARTITIONS):
        await world.write(Draft(streams.log(partition), OlderKeysRetired()))
    stranger = streams.stranger(digest())
    await world.stranger_writer.write(
        world.proposal(
            Draft(stranger, LoginAttempted(outcome="wrong_password", source=SEALED)), heads={}
        )
    )
    with pytest.raises(SupersededError):
        await world.write(Draft(account, RoleChanged(role="staff", reason=SEALED)), heads={})
