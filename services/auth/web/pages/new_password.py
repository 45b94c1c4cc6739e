"""
A new password, then the choice about two-factor authentication, then perhaps an authenticator.

Between the first screen and the last, the new password travels in the form that it came with,
sealed, filled up to one length and bound to its change: it is kept nowhere, and no page shows it.
"""

from hashlib import sha256
from typing import Any, get_args

from fastapi.responses import Response
from markupsafe import Markup

from events.staff import Choice
from services.auth.domain.errors import (
    ChoiceUnavailableError,
    PasswordRefusedError,
    TicketDeadError,
    WrongCodeError,
)
from services.auth.domain.passwords import LONGEST, SHORTEST
from services.auth.handlers.finish_change import FinishChange
from services.auth.handlers.password_changes import Offer, Shown
from services.auth.tickets import DEVICE_LIVES
from services.auth.web.pages.ground import CHANGE, LIVES, PagesGround, caller, state
from services.auth.web.pages.link import dead, lost
from services.auth.web.qr import qr_svg
from services.web.pages.cookies import DEVICE, SESSION
from services.web.pages.site import Site
from services.web.pages.visit import Visit

_HELD_BYTES = 4 * LONGEST + 64
_GONE = "That is no longer on offer. Please choose again."
_WRONG = "That code isn’t right."


def add(site: Site, ground: PagesGround) -> None:
    """Add the pages."""
    pages = _Pages(ground)
    site.get("/password/new")(pages.password)
    site.post("/password/new")(pages.password_given)
    site.post("/password/two-factor")(pages.choice_given)
    site.post("/password/finish")(pages.code_given)
    site.get("/password/done")(pages.done)


class _Pages:
    def __init__(self, ground: PagesGround) -> None:
        self._service = ground.service

    async def password(self, visit: Visit) -> Response:
        kept = state(visit, CHANGE)
        if "change" not in kept:
            return lost(visit)
        return await self._ask_password(visit, kept)

    async def password_given(self, visit: Visit) -> Response:
        kept, given = state(visit, CHANGE), visit.form.text("password")
        if "change" not in kept:
            return lost(visit)
        try:
            offer = await self._service.finishing.consider(kept["change"], given)
        except TicketDeadError as error:
            return dead(visit, error, expired=kept["expired"])
        except PasswordRefusedError as error:
            return await self._ask_password(visit, kept, error.reason)
        held, chosen = _hold(visit, kept, given), _chosen(visit)
        if chosen == "setup_new":
            return _ask_code(visit, visit.form.text("authenticator"), held)
        if chosen in offer.options:
            return await self._finish(visit, kept, given, chosen)
        return _ask_choice(visit, offer, held)

    async def choice_given(self, visit: Visit) -> Response:
        kept, choice = state(visit, CHANGE), visit.form.text("choice")
        given = _held(visit, kept)
        if given is None:
            return visit.go("/password/new")
        if choice not in get_args(Choice):
            return await self._choose_again(visit, kept, given, "Choose one of these.")
        if choice != "setup_new":
            return await self._finish(visit, kept, given, choice)
        try:
            shown = await self._service.changes.show_authenticator(kept["change"], caller(visit))
        except TicketDeadError as error:
            return dead(visit, error, expired=kept["expired"])
        return _ask_code(visit, shown.authenticator, visit.form.text("held"), shown)

    async def code_given(self, visit: Visit) -> Response:
        kept = state(visit, CHANGE)
        given = _held(visit, kept)
        if given is None:
            return visit.go("/password/new")
        return await self._finish(visit, kept, given, "setup_new")

    async def done(self, visit: Visit) -> Response:
        two_factor = state(visit, CHANGE).get("done")
        return visit.page("password_set.html", two_factor=two_factor) if two_factor else lost(visit)

    async def _finish(
        self, visit: Visit, kept: dict[str, Any], given: str, choice: Any
    ) -> Response:
        form = visit.form
        finish = FinishChange(
            change=kept["change"],
            password=given,
            choice=choice,
            authenticator=form.text("authenticator") or None,
            code=form.code(),
        )
        try:
            done = await self._service.finishing.finish(finish, caller(visit))
        except TicketDeadError as error:
            return dead(visit, error, expired=kept["expired"])
        except ChoiceUnavailableError:
            return await self._choose_again(visit, kept, given, _GONE)
        except PasswordRefusedError as error:
            return await self._ask_password(visit, kept, error.reason)
        except WrongCodeError:
            return _ask_code(visit, form.text("authenticator"), form.text("held"), error=_WRONG)
        visit.keep_state(CHANGE, {"done": done.two_factor}, lives=LIVES)
        visit.forget(SESSION)  # It ended with the old password.
        if done.device is not None:
            visit.keep(DEVICE, done.device, lives=DEVICE_LIVES, same_site="strict")
        return visit.go("/password/done")

    async def _ask_password(
        self, visit: Visit, kept: dict[str, Any], error: str | None = None
    ) -> Response:
        try:
            offer = await self._service.changes.look(kept["change"])
        except TicketDeadError as over:
            return dead(visit, over, expired=kept["expired"])
        return visit.page(
            "new_password.html",
            422 if error else 200,
            username=offer.username,
            expired=kept["expired"],
            shortest=SHORTEST,
            chosen=_chosen(visit),
            authenticator=visit.form.text("authenticator"),
            error=error,
        )

    async def _choose_again(
        self, visit: Visit, kept: dict[str, Any], given: str, error: str
    ) -> Response:
        try:
            offer = await self._service.changes.look(kept["change"])
        except TicketDeadError as over:
            return dead(visit, over, expired=kept["expired"])
        return _ask_choice(visit, offer, _hold(visit, kept, given), error)


def _ask_choice(visit: Visit, offer: Offer, held: str, error: str | None = None) -> Response:
    return visit.page(
        "choice.html",
        422 if error else 200,
        options=offer.options,
        held=held,
        mandatory_from=offer.mandatory_from,
        error=error,
    )


def _ask_code(
    visit: Visit,
    authenticator: str,
    held: str,
    shown: Shown | None = None,
    error: str | None = None,
) -> Response:
    """The set-up page; whoever comes to it again doesn't see the secret, which is shown once."""
    return visit.page(
        "setup.html",
        422 if error else 200,
        held=held,
        authenticator=authenticator,
        shown=shown,
        # It is made of squares alone; nothing of the URI stands in it as text.
        qr_svg=Markup(qr_svg(shown.otpauth_uri)) if shown else None,  # noqa: S704
        error=error,
    )


def _chosen(visit: Visit) -> str:
    """
    What was chosen before, where the password that came with it wasn't taken at the end.

    An authenticator that was shown with the choice needn't be set up once more.
    """
    chosen = visit.form.text("choice")
    if chosen == "setup_new" and not visit.form.text("authenticator"):
        return ""
    return chosen if chosen in get_args(Choice) else ""


def _purpose(kept: dict[str, Any]) -> str:
    return f"held/{sha256(kept['change'].encode()).hexdigest()}"


def _hold(visit: Visit, kept: dict[str, Any], password: str) -> str:
    return visit.seal.seal(_purpose(kept), password, expires=visit.now + LIVES, pad_to=_HELD_BYTES)


def _held(visit: Visit, kept: dict[str, Any]) -> str | None:
    """The password of the first screen; None where it isn't this change's, or is too old."""
    if "change" not in kept:
        return None
    found = visit.seal.open(_purpose(kept), visit.form.text("held"), visit.now)
    return found if isinstance(found, str) else None
