"""The handlers together, as the web side is given them."""

from dataclasses import dataclass

from services.auth.handlers.finish_change import FinishChanges
from services.auth.handlers.ground import Ground
from services.auth.handlers.login import Logins
from services.auth.handlers.password_changes import PasswordChanges
from services.auth.handlers.password_resets import PasswordResets
from services.auth.handlers.sessions import Sessions
from services.auth.handlers.step_up import StepUps


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that auth does."""

    logins: Logins
    resets: PasswordResets
    changes: PasswordChanges
    finishing: FinishChanges
    sessions: Sessions
    step_ups: StepUps

    @classmethod
    def on(cls, ground: Ground) -> "Service":
        """The handlers on *ground*."""
        changes = PasswordChanges(ground)
        sessions = Sessions(ground, changes)
        return cls(
            logins=Logins(ground),
            resets=PasswordResets(ground),
            changes=changes,
            finishing=FinishChanges(ground, changes),
            sessions=sessions,
            step_ups=StepUps(ground, sessions),
        )
