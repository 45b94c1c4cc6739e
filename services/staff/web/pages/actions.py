"""The Actions menu: what is asked before, and what will follow."""

from dataclasses import dataclass
from typing import Final

from fastapi.responses import Response

from services.staff.web.answers import PersonAnswer
from services.staff.web.pages.desk import Desk, Seat, path_id, reason_given, shown_name
from services.web.pages.site import Site
from services.web.pages.visit import Visit


@dataclass(frozen=True, slots=True)
class Action:
    """
    One entry of the menu.

    Attributes:
        path: Last segment of its page.
        command: What is sent.
        template: What its page says.
    """

    path: str
    command: str
    template: str


ACTIONS: Final = (
    Action("disable-two-factor", "disable_two_factor", "disable_two_factor.html"),
    Action("require-password-reset", "require_password_reset", "require_password_reset.html"),
)


def add(site: Site, desk: Desk) -> None:
    """Add the pages."""
    for action in ACTIONS:
        _add(site, desk, action)


def _add(site: Site, desk: Desk, action: Action) -> None:
    path = f"/staff/organisations/{{org:uuid}}/people/{{staff:uuid}}/{action.path}"

    async def page(visit: Visit, seat: Seat, error: str | None = None) -> Response:
        organisation = await desk.organisation(seat, path_id(visit, "org"))
        person = await desk.person(organisation.organisation_id, path_id(visit, "staff"))
        names = (await desk.names(person)).get(person.staff_id)
        return desk.show(
            visit,
            seat,
            action.template,
            422 if error else 200,
            at=organisation,
            person=PersonAnswer.of(person, names),
            name=shown_name(names),
            myself=person.staff_id == seat.staff_id,
            mandatory=desk.policy(organisation).mandatory_at(visit.now),
            error=error,
        )

    @site.get(path)
    @desk.seated
    async def ask(visit: Visit, seat: Seat) -> Response:
        if not desk.is_fresh(visit, seat):
            return desk.step_up(visit)
        return await page(visit, seat)

    @site.post(path)
    @desk.seated
    async def confirmed(visit: Visit, seat: Seat) -> Response:
        organisation_id, staff_id = path_id(visit, "org"), path_id(visit, "staff")
        await desk.organisation(seat, organisation_id)
        reason = reason_given(visit)
        if not reason:
            return await page(visit, seat, "Give a reason.")
        if visit.form.text("confirmed") != "yes":
            return await page(visit, seat, "Confirm that you mean it.")
        data = {"organisation_id": organisation_id, "staff_id": staff_id, "reason": reason}
        back = f"/staff/organisations/{organisation_id}/people/{staff_id}"
        return await desk.send(visit, seat, action.command, data, back=back)
