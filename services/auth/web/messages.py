"""What the JSON calls take, and what they answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from events.moments import Moment
from events.staff import Choice
from services.web.bodies import Body
from services.web.documented import NO_NUL

Username = Annotated[str, Field(min_length=1, max_length=320, json_schema_extra=NO_NUL)]
Ticket = Annotated[str, Field(min_length=1, max_length=1024, json_schema_extra=NO_NUL)]
Secret = Annotated[str, Field(max_length=1024, json_schema_extra=NO_NUL)]
"""A password, as typed; what no password can be is refused as a wrong one is."""
Code = Annotated[str, Field(max_length=64, json_schema_extra=NO_NUL)]
"""A code, as typed; what is no code is refused as a wrong one is."""

TwoFactor = Literal["on", "off"]


class LoginStart(Body):
    username: Username


class LoginStarted(BaseModel):
    login: str


class LoginFinish(Body):
    login: Ticket
    password: Secret
    code: Code | None = None
    device: Ticket | None = None


class LoggedInAnswer(BaseModel):
    outcome: Literal["logged_in"] = "logged_in"
    session: str
    expires_at: Moment
    two_factor: TwoFactor
    device: str
    position: str
    two_factor_mandatory_from: Moment | None = None


class ChangeRequiredAnswer(BaseModel):
    outcome: Literal["password_change_required"] = "password_change_required"
    change: str
    reason: Literal["expired"] = "expired"


class LinkSentAnswer(BaseModel):
    outcome: Literal["link_sent"] = "link_sent"
    reason: Literal["two_factor_mandatory", "reset_required"]


class PasswordReset(Body):
    username: Username


class ChangeOpen(Body):
    ticket: Ticket
    code: Code | None = None


class ChangeOpened(BaseModel):
    change: str
    options: list[Choice]


class AuthenticatorAsk(Body):
    change: Ticket


class AuthenticatorShown(BaseModel):
    authenticator: str
    otpauth_uri: str
    secret: str
    qr_svg: str


class ChangeFinish(Body):
    change: Ticket
    password: Secret
    choice: Choice
    authenticator: Ticket | None = None
    code: Code | None = None


class PasswordSetAnswer(BaseModel):
    outcome: Literal["password_set"] = "password_set"
    two_factor: TwoFactor
    device: str | None = None
    position: str


class SessionAnswer(BaseModel):
    staff_id: str
    organisation_id: str
    organisation: str
    username: str
    display_name: str
    role: str
    two_factor: TwoFactor
    expires_at: Moment
    fresh_until: Moment | None = None
    two_factor_mandatory_from: Moment | None = None
    position: str


class LogOut(Body):
    everywhere: bool = False


class StepUp(Body):
    password: Secret
    code: Code
    device: Ticket | None = None
    renew: bool = Field(
        default=False,
        description="Go on under a new token, which the answer holds: the one that this came with "
        "is dead from then on, so that whoever else has it doesn't share in what was proved.",
    )


class SteppedUpAnswer(BaseModel):
    fresh_until: Moment
    session: str | None = Field(default=None, description="The new token, where renew was asked.")
