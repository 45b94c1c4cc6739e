"""Changes of a password that people are in the middle of, and how they finish."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from events.organisation import Policy
from events.person import Person
from services.auth.domain import password_change
from services.auth.domain.decision import Decision
from services.auth.domain.password_change import Change, NewCredentials
from tests.services.auth.domain.people import LINK, NOW, OPTIONAL, STAFF, STEP

CHANGE = Change(LINK, 0, "link", LINK, NOW + timedelta(minutes=30))
EXPIRED = Change(LINK, 0, "expired", None, NOW + timedelta(minutes=30))
ENTRY = "00000000-0000-4000-8000-0000000000ee"


def credentials(choice: Any, **changes: Any) -> NewCredentials:
    return replace(NewCredentials(credential=ENTRY, choice=choice), **changes)


NEW_AUTHENTICATOR = credentials("setup_new", candidate=STAFF, authenticator=ENTRY, time_step=STEP)


def finish(
    somebody: Person,
    new: NewCredentials,
    policy: Policy = OPTIONAL,
    change: Change = CHANGE,
) -> Decision:
    return password_change.finish_change(somebody, policy, change, new, NOW)
