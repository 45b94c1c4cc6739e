"""An organisation's settings: seen by its administrators, changed by support alone."""

from datetime import UTC, date, datetime, time
from typing import Any

from fastapi.responses import Response

from events.moments import write_moment
from events.organisation import Organisation
from services.staff.web import callers
from services.staff.web.pages.desk import Desk, Seat, path_id, reason_given, today
from services.web.pages.site import Site
from services.web.pages.visit import Visit

_PATH = "/staff/organisations/{org:uuid}"


def add(site: Site, desk: Desk) -> None:
    """Add the pages."""
    pages = _Pages(desk)
    site.get(_PATH)(desk.seated(pages.settings))
    site.get(f"{_PATH}/two-factor")(desk.seated(pages.two_factor))
    site.post(f"{_PATH}/two-factor")(desk.seated(pages.two_factor_given))
    site.get(f"{_PATH}/password-expiry")(desk.seated(pages.expiry))
    site.post(f"{_PATH}/password-expiry")(desk.seated(pages.expiry_given))


class _Pages:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def settings(self, visit: Visit, seat: Seat) -> Response:
        organisation = await self._desk.organisation(seat, path_id(visit, "org"))
        return await self._show(visit, seat, "organisation.html", organisation)

    # ---- 2FA ------------------------------------------------------------------------------------

    async def two_factor(self, visit: Visit, seat: Seat) -> Response:
        """First what is wanted; then, before anything is sent, what it would do."""
        organisation = await self._to_change(visit, seat)
        if not self._desk.is_fresh(visit, seat):
            return self._desk.step_up(visit)
        wanted = visit.query("wanted")
        if wanted not in {"mandatory", "optional"}:
            return await self._ask_two_factor(visit, seat, organisation)
        try:
            start = (
                _start(visit.query("when"), visit.query("date"), visit.now)
                if wanted == "mandatory"
                else None
            )
        except ValueError as error:
            return await self._ask_two_factor(visit, seat, organisation, str(error))
        return await self._preview(visit, seat, organisation, wanted == "mandatory", start)

    async def two_factor_given(self, visit: Visit, seat: Seat) -> Response:
        organisation = await self._to_change(visit, seat)
        mandatory, form = visit.form.text("wanted") == "mandatory", visit.form
        try:
            start = _start(form.text("when"), form.text("date"), visit.now) if mandatory else None
        except ValueError as error:
            return await self._ask_two_factor(visit, seat, organisation, str(error))
        reason = reason_given(visit)
        if not reason:
            return await self._preview(
                visit, seat, organisation, mandatory, start, "Give a reason."
            )
        data: dict[str, Any] = {
            "organisation_id": organisation.organisation_id,
            "mandatory": mandatory,
            "reason": reason,
        }
        if start is not None:
            data["from"] = write_moment(start)
        return await self._desk.send(
            visit, seat, "set_two_factor_policy", data, back=_back(organisation)
        )

    async def _ask_two_factor(
        self, visit: Visit, seat: Seat, organisation: Organisation, error: str | None = None
    ) -> Response:
        return await self._show(
            visit,
            seat,
            "two_factor_policy.html",
            organisation,
            error=error,
            wanted=visit.query("wanted") or visit.form.text("wanted"),
            date=visit.query("date") or visit.form.text("date"),
            today=today(visit.now),
        )

    async def _preview(
        self,
        visit: Visit,
        seat: Seat,
        organisation: Organisation,
        mandatory: bool,
        start: datetime | None,
        error: str | None = None,
    ) -> Response:
        return await self._show(
            visit,
            seat,
            "two_factor_preview.html",
            organisation,
            error=error,
            mandatory=mandatory,
            start=start,
            date=start.date().isoformat() if start else "",
        )

    # ---- password expiry ------------------------------------------------------------------------

    async def expiry(self, visit: Visit, seat: Seat) -> Response:
        organisation = await self._to_change(visit, seat)
        if not self._desk.is_fresh(visit, seat):
            return self._desk.step_up(visit)
        return await self._show(visit, seat, "password_expiry.html", organisation, days="")

    async def expiry_given(self, visit: Visit, seat: Seat) -> Response:
        organisation = await self._to_change(visit, seat)
        days, reason, error = visit.form.line("days"), reason_given(visit), None
        wanted = visit.form.text("wanted")
        if wanted not in {"never", "days"}:
            error = "Choose one of the two."
        elif wanted == "days" and not (
            days.isascii() and days.isdigit() and 1 <= int(days) <= 3650
        ):
            error = "Give a number of days from 1 to 3650."
        elif not reason:
            error = "Give a reason."
        if error:
            return await self._show(
                visit, seat, "password_expiry.html", organisation, error=error, days=days
            )
        data = {
            "organisation_id": organisation.organisation_id,
            "max_age_days": int(days) if wanted == "days" else None,
            "reason": reason,
        }
        return await self._desk.send(
            visit, seat, "set_password_expiry", data, back=_back(organisation)
        )

    # ---- in common ------------------------------------------------------------------------------

    async def _to_change(self, visit: Visit, seat: Seat) -> Organisation:
        """
        An organisation whose settings they may change.

        Raises:
            Problem: 404: to others these pages don't exist.
        """
        organisation = await self._desk.organisation(seat, path_id(visit, "org"))
        if not seat.is_support:
            raise callers.not_found()
        return organisation

    async def _show(
        self,
        visit: Visit,
        seat: Seat,
        template: str,
        organisation: Organisation,
        *,
        error: str | None = None,
        **values: Any,
    ) -> Response:
        policy = self._desk.policy(organisation)
        summary, _ = await self._desk.queries.summary(organisation.organisation_id)
        return self._desk.show(
            visit,
            seat,
            template,
            422 if error else 200,
            at=organisation,
            now_mandatory=policy.mandatory_at(visit.now),
            mandatory_from=policy.mandatory_from(visit.now),
            max_age_days=policy.max_age_days,
            is_home=organisation.organisation_id == self._desk.base.home,
            summary=summary,
            error=error,
            **values,
        )


def _start(when: str, day: str, now: datetime) -> datetime | None:
    """
    The beginning of *day*, UTC; None: at once.

    Raises:
        ValueError: It is no day ahead; a sentence for people.
    """
    if when == "now":
        return None
    if when != "date":
        raise ValueError("Choose from when it is to be mandatory.")
    try:
        start = datetime.combine(date.fromisoformat(day), time(), UTC)
    except ValueError:
        raise ValueError("Give the day on which it becomes mandatory.") from None
    if start <= now:
        raise ValueError("That day has begun already: choose one ahead, or “At once”.")
    return start


def _back(organisation: Organisation) -> str:
    return f"/staff/organisations/{organisation.organisation_id}"
