"""
Seeding the demonstration through the public interfaces alone: commands, e-mailed links, HTTP.

Each step is kept before the next, and each can be done again, so that it goes on where it was cut
off.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pyotp

from events.commands import Command, RegisterOrganisation, RegisterStaff
from services.publisher import CommandSender, PublishError
from services.up.demonstration import Demonstration, Someone
from services.up.errors import SeedingError
from services.up.sink import links, read

_MAIL_WITHIN: Final = 60.0  # Seconds until a link must have come.
_PATIENCE: Final = timedelta(seconds=90)
_TRIES: Final = 6  # Of a request that a part which is away made fail.
_STEP: Final = 30  # Seconds of a time-step (RFC 6238).

Say = Callable[[str], None]


class Seeder:
    """Makes a demonstration as it should be."""

    def __init__(
        self,
        demonstration: Demonstration,
        path: Path,
        *,
        sender: CommandSender,
        auth: httpx.Client,
        mail: Path,
        say: Say,
    ) -> None:
        """
        Args:
            demonstration: As far as it got.
            path: Where each step is kept.
            sender: Publishes commands, signed with the operator's key.
            auth: The auth service.
            mail: Where mails are left.
            say: Told of each person.
        """
        self._demonstration, self._path = demonstration, path
        self._sender, self._auth, self._mail, self._say = sender, auth, mail, say

    def run(self) -> None:
        """
        Do what is left to do.

        Raises:
            SeedingError: A step was refused, or a link didn't come.
        """
        try:
            if not self._demonstration.organisations:
                self._organisations()
            for someone in self._demonstration.people:
                if someone.state == "new":
                    self._register(someone)
            for someone in self._demonstration.people:
                if someone.state != "done":
                    self._join(someone)
        except (PublishError, httpx.HTTPError) as error:
            raise SeedingError(f"The demonstration can't be made: {error}") from error

    def _organisations(self) -> None:
        demonstration = self._demonstration
        for organisation_id, name in (
            (demonstration.home_organisation_id, "Support"),
            (demonstration.organisation_id, "Demonstration Estate Agents"),
        ):
            data = {"organisation_id": organisation_id, "name": name}
            self._send(RegisterOrganisation.model_validate(data), organisation_id)
        demonstration.organisations = True
        self._keep()

    def _register(self, someone: Someone) -> None:
        command = RegisterStaff(
            organisation_id=someone.organisation_id,
            staff_id=someone.staff_id,
            username=someone.username,
            email=someone.email,
            display_name=someone.display_name,
            role=someone.role,
        )
        self._send(command, someone.staff_id)
        someone.state = "registered"
        self._keep()

    def _send(self, command: Command, about: str) -> None:
        # After a cut it is sent again, as another command: "registered already" is as good as done.
        outcome = self._sender.send(command, command_id=f"seed-{uuid4()}", patience=_PATIENCE)
        if outcome.outcome == "rejected" and not _is_there(outcome.reason):
            raise SeedingError(
                f"{command.name} for {about} was rejected: {outcome.reason}"
                f" ({outcome.detail}); run make reset, then make run."
            )

    def _join(self, someone: Someone) -> None:
        """Set the password by the link that was mailed, with an authenticator or without."""
        if someone.state == "finishing" and self._can_log_in(someone):
            someone.state = "done"
            self._keep()
            return
        opened = self._open(someone)
        change = opened["change"]
        body: dict[str, Any] = {"change": change, "password": someone.password}
        if someone.enrols:
            shown = self._post("/api/password-changes/authenticator", {"change": change})
            someone.secret = shown["secret"].replace(" ", "")
            body |= {
                "choice": "setup_new",
                "authenticator": shown["authenticator"],
                "code": _fresh_code(someone.secret),
            }
        else:
            body["choice"] = "no_thanks"
        someone.state = "finishing"
        self._keep()
        self._post("/api/password-changes/finish", body)
        someone.state = "done"
        self._keep()
        self._say(f"Made {someone.username} ({someone.role}).")

    def _open(self, someone: Someone) -> dict[str, Any]:
        """Open the password change by the newest link; ask for a new one if that isn't good."""
        for asked in (False, True):
            since = datetime.now(UTC)
            if asked:
                self._post("/api/password-resets", {"username": someone.username}, 202)
            ticket = self._ticket(someone, since if asked else None)
            if ticket is not None:
                answer = self._answer("/api/password-changes/open", {"ticket": ticket})
                if answer.status_code == 200:
                    return dict(answer.json())
        raise SeedingError(
            f"No link for {someone.username} came, or it was refused;"
            " run make reset, then make run."
        )

    def _ticket(self, someone: Someone, since: datetime | None) -> str | None:
        """The newest ticket mailed to them, after *since* where that is given."""
        last = time.monotonic() + _MAIL_WITHIN
        while time.monotonic() < last:
            found = None
            for path in sorted(self._mail.glob("*.eml")):
                if since is not None and path.stat().st_mtime < since.timestamp():
                    continue
                mail = read(path.read_bytes())
                if mail["To"] == someone.email:
                    found = next(iter(links(mail)), found)
            if found:
                return found.rpartition("/")[2]
            time.sleep(0.05)
        return None

    def _can_log_in(self, someone: Someone) -> bool:
        login = self._post("/api/login/start", {"username": someone.username})["login"]
        body = {"login": login, "password": someone.password}
        if someone.secret:
            body["code"] = _fresh_code(someone.secret)
        answer = self._answer("/api/login/finish", body)
        return answer.status_code == 200 and answer.json().get("outcome") == "logged_in"

    def _post(self, path: str, body: dict[str, Any], expected: int = 200) -> dict[str, Any]:
        answer = self._answer(path, body)
        if answer.status_code != expected:
            problem = re.sub(r"[^a-z0-9-]", "", answer.text.partition('"type":')[2][:120])
            raise SeedingError(f"{path} answered {answer.status_code} {problem} while seeding.")
        return dict(answer.json()) if answer.content else {}

    def _answer(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """The answer; a 503 is asked for again, as the same request."""
        headers = {"Idempotency-Key": str(uuid4())}
        for tries_left in reversed(range(_TRIES)):
            answer = self._auth.post(path, json=body, headers=headers)
            if answer.status_code != 503 or not tries_left:
                return answer
            time.sleep(1)
        raise AssertionError

    def _keep(self) -> None:
        self._demonstration.save(self._path)


def _is_there(reason: str | None) -> bool:
    return reason is not None and reason.startswith("already-")


def _fresh_code(secret: str) -> str:
    """The current code, with a few seconds left to use it in."""
    left = _STEP - time.time() % _STEP
    if left < 3:
        time.sleep(left)
    return pyotp.TOTP(secret).now()
