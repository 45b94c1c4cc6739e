"""The demonstration's file: who can log in, kept as it comes to be, so that seeding can go on."""

import json
import os
import secrets
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from events.staff import Role
from services.up.places import Places

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # None that people take for another.


def new_password() -> str:
    """Four groups of four letters and digits, 79 bits, easy to type off a screen."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


class Someone(BaseModel):
    """
    A person of the demonstration.

    Attributes:
        enrols: Whether they set up an authenticator.
        secret: Its seed in base32, as an app or oathtool takes it; None before it is set up.
        state: How far seeding got: their password is set once it is ``done``.
    """

    model_config = ConfigDict(extra="forbid")

    username: str
    display_name: str
    email: str
    role: Role
    organisation_id: str
    enrols: bool
    staff_id: str = Field(default_factory=lambda: str(uuid4()))
    password: str = Field(default_factory=new_password)
    secret: str | None = None
    state: Literal["new", "registered", "finishing", "done"] = "new"


class Demonstration(BaseModel):
    """
    What `twofold up` made once.

    Attributes:
        organisation_id: The demonstration organisation.
        home_organisation_id: Support's.
        auth_url, staff_url, kafka, audience: How to reach the system.
        operator_key: The operator's private key file.
        mail: The folder of mails.
    """

    model_config = ConfigDict(extra="forbid")

    organisation_id: str = Field(default_factory=lambda: str(uuid4()))
    home_organisation_id: str
    organisations: bool = False
    people: list[Someone] = Field(default_factory=list)
    auth_url: str = ""
    staff_url: str = ""
    kafka: str = ""
    audience: str = ""
    operator_key: str = ""
    mail: str = ""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to seed."""
        return self.organisations and all(one.state == "done" for one in self.people)

    @classmethod
    def begin(cls, home: str) -> "Demonstration":
        """A new one, with its people still to be registered."""
        new = cls(home_organisation_id=home)
        own = new.organisation_id
        for username, display_name, role, organisation_id, enrols in (
            ("sam", "Sam Field", "staff", own, False),
            ("eve", "Eve Hart", "staff", own, True),
            ("ada", "Ada Byrne", "administrator", own, True),
            ("sue", "Sue Marsh", "support", home, True),
        ):
            new.people.append(
                Someone.model_validate(
                    {
                        "username": username,
                        "display_name": display_name,
                        "email": f"{username}@demonstration.example",
                        "role": role,
                        "organisation_id": organisation_id,
                        "enrols": enrols,
                    }
                )
            )
        return new

    @classmethod
    def load(cls, path: Path) -> "Demonstration | None":
        """What `save` wrote; None where it never did."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None

    def save(self, path: Path) -> None:
        """Write it whole or not at all, for its owner alone."""
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(self.model_dump(), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)


def load_or_begin(places: Places, home: str) -> Demonstration:
    """The demonstration as far as it got."""
    return Demonstration.load(places.demo) or Demonstration.begin(home)
