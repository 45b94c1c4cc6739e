"""What people do, as one call each: join, log in, set a password, act as an administrator."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from rich.console import Console

from services.demo.people import Authenticator, Somebody
from services.demo.publisher import Publisher
from services.demo.world import Answer, Log, Mailbox, NotShownError, Web, wait_until

_WORDS = (
    "amber", "barley", "cobalt", "drift", "ember", "fathom", "gravel", "hollow", "indigo",
    "juniper", "kettle", "lantern", "meadow", "nickel", "orchard", "pebble", "quarry", "russet",
)  # fmt: skip

AHEAD = timedelta(days=400)
"""How far the second auth process's clock is moved."""


def new_password() -> str:
    """Four words and a number that nobody used before."""
    return "-".join([*(secrets.choice(_WORDS) for _ in range(4)), str(secrets.randbelow(9000))])


@dataclass(slots=True)
class World:
    """
    Everything that the walk-through reaches.

    Attributes:
        auth: The auth service.
        ahead: A second one, whose decisions' clock is `AHEAD`.
        staff: The staff service.
        log: The history.
        vault: The vault's topic.
        mailbox: Where e-mails arrive.
        operator: Publishes signed commands.
        support: Somebody of support, with an authenticator.
        console: Where steps are printed.
    """

    auth: Web
    ahead: Web
    staff: Web
    log: Log
    vault: Log
    mailbox: Mailbox
    operator: Publisher
    support: Somebody
    console: Console
    shown: int = 0

    @contextmanager
    def step(self, claim: str) -> Iterator[None]:
        """Print *claim* once what is in here has shown it; the first that isn't ends it all."""
        self.log.mark()
        self.vault.mark()
        try:
            yield
        except NotShownError as error:
            self.console.print(f"  [red]✗[/red] {claim}\n    {error}", highlight=False)
            raise
        self.shown += 1
        self.console.print(f"  [green]✓[/green] {claim}", highlight=False)

    def close(self) -> None:
        """Let go of connections."""
        for one in (self.auth, self.ahead, self.staff, self.log, self.vault, self.operator):
            one.close()

    # ---- joining --------------------------------------------------------------------------------

    def organisation(self, name: str) -> str:
        """Register an organisation by a signed command."""
        organisation_id = str(uuid4())
        data = {"organisation_id": organisation_id, "name": name}
        accepted(self.operator.send("register_organisation", data))
        return organisation_id

    def invite(self, organisation_id: str, role: str = "staff") -> Somebody:
        """Register somebody by a signed command; their invitation is on its way."""
        name = f"{role[:5]}.{secrets.token_hex(4)}"
        somebody = Somebody(organisation_id, str(uuid4()), name, f"{name}@demo.example")
        data = {
            "organisation_id": organisation_id,
            "staff_id": somebody.staff_id,
            "username": somebody.username,
            "email": somebody.email,
            "display_name": f"Demo {name}",
            "role": role,
        }
        accepted(self.operator.send("register_staff", data))
        return somebody

    def join(
        self, organisation_id: str, role: str = "staff", choice: str = "no_thanks"
    ) -> Somebody:
        """Invite somebody, who then sets a first password with *choice*."""
        somebody = self.invite(organisation_id, role)
        self.finish(somebody, self.open(self.link(somebody)).body["change"], choice).expect(200)
        return somebody

    # ---- passwords ------------------------------------------------------------------------------

    def link(self, somebody: Somebody) -> str:
        """The ticket of the next link in their mailbox."""
        ticket = self.mailbox.next_link(somebody.email, somebody.links_seen)
        somebody.links_seen += 1
        return ticket

    def ask_for_link(self, somebody: Somebody) -> str:
        """Ask for a link, and take it out of the mailbox."""
        body = {"username": somebody.username}
        self.auth.post("/api/password-resets", body).expect(202)
        return self.link(somebody)

    def open(self, ticket: str, code: str | None = None, web: Web | None = None) -> Answer:
        """Open a password change."""
        body = {"ticket": ticket} | ({"code": code} if code else {})
        return (web or self.auth).post("/api/password-changes/open", body)

    def finish(
        self,
        somebody: Somebody,
        change: str,
        choice: str,
        password: str | None = None,
        web: Web | None = None,
        ahead: timedelta = timedelta(0),
    ) -> Answer:
        """Finish a password change; what is then in force is remembered."""
        web = web or self.auth
        password = password or new_password()
        body = {"change": change, "password": password, "choice": choice}
        authenticator = None
        if choice == "setup_new":
            shown = web.post("/api/password-changes/authenticator", {"change": change}).expect(200)
            authenticator = Authenticator(shown.body["secret"], ahead)
            body |= {"authenticator": shown.body["authenticator"], "code": authenticator.code()}
        answer = web.post("/api/password-changes/finish", body)
        if answer.status == 200:
            somebody.password = password
            if choice == "setup_new":
                somebody.take(authenticator)
            elif choice == "no_thanks":
                somebody.authenticator = None
        return answer

    # ---- logging in -----------------------------------------------------------------------------

    def login(
        self,
        somebody: Somebody,
        *,
        password: str | None = None,
        code: str | None = None,
        device: str | None = None,
        web: Web | None = None,
        key: str | None = None,
    ) -> Answer:
        """Both screens, with exactly the password and code given."""
        web = web or self.auth
        start = web.post("/api/login/start", {"username": somebody.username}).expect(200)
        body = {"login": start.body["login"], "password": password or somebody.password}
        body |= {k: v for k, v in {"code": code, "device": device}.items() if v}
        return web.post("/api/login/finish", body, key=key)

    def logged_in(self, somebody: Somebody, *, ahead: bool = False) -> Answer:
        """
        Log in with whatever is in force; the session is remembered.

        With *ahead* at the second auth process: codes of the next 30 s needn't be waited for there,
        and this is the last that its owner gives.
        """
        web, by = (self.ahead, AHEAD) if ahead else (self.auth, timedelta(0))
        code = somebody.authenticator.code(by) if somebody.authenticator else None
        answer = self.login(somebody, code=code, web=web).expect(200, outcome="logged_in")
        somebody.session, somebody.device = answer.body["session"], answer.body["device"]
        return answer

    # ---- administration -------------------------------------------------------------------------

    def command(self, actor: Somebody, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """Send a command from *actor*'s session, and wait for what becomes of it."""
        body = {"type": name, "data": data}
        sent = self.staff.post("/api/commands", body, actor.session).expect(202)
        return self.outcome(actor, sent.body["command_id"])

    def outcome(self, actor: Somebody, command_id: str) -> dict[str, Any]:
        """What became of a command, once it is known."""

        def known() -> dict[str, Any] | None:
            answer = self.staff.get(f"/api/commands/{command_id}", actor.session).expect(200)
            return None if answer.body["outcome"] == "pending" else answer.body

        return dict(wait_until(f"the outcome of command {command_id}", known))

    def about(
        self, somebody: Somebody, reason: str = "Shown in the walk-through."
    ) -> dict[str, Any]:
        """The data of a command about *somebody*."""
        return {
            "organisation_id": somebody.organisation_id,
            "staff_id": somebody.staff_id,
            "reason": reason,
        }


def accepted(outcome: dict[str, Any]) -> dict[str, Any]:
    """
    The outcome of a command that took effect.

    Raises:
        NotShownError: It was rejected.
    """
    if outcome.get("outcome") != "accepted":
        raise NotShownError(f"expected the command to be accepted, got {outcome}")
    return outcome


def rejected(outcome: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """
    The outcome of a command that had no effect.

    Raises:
        NotShownError: It was accepted, or rejected for another reason.
    """
    if outcome.get("outcome") != "rejected" or (reason and outcome.get("reason") != reason):
        raise NotShownError(f"expected the command to be rejected ({reason}), got {outcome}")
    return outcome


def check(claim: str, *, holds: bool) -> None:
    """
    Check a claim.

    Raises:
        NotShownError: It doesn't hold.
    """
    if not holds:
        raise NotShownError(f"this doesn't hold: {claim}")
