"""Questions about an organisation."""

from fastapi import APIRouter, Request

from services.staff.web import callers
from services.staff.web.answers import MEANS, PolicyAnswer, SummaryAnswer
from services.staff.web.ground import Ground
from services.staff.web.questions import AtLeast, Id, reached
from services.web.bodies import StrictRoute
from services.web.documented import BEARER, problems


def routes(ground: Ground) -> APIRouter:
    """The routes."""
    router = APIRouter(
        prefix="/api/organisations/{organisation_id}",
        route_class=StrictRoute,
        tags=["organisations"],
        dependencies=[BEARER],
        responses=problems(MEANS, 400, 401, 403, 404, 422, 503),
    )
    queries = ground.queries

    @router.get("/policy")
    async def policy(
        request: Request, organisation_id: Id, at_least: AtLeast = None
    ) -> PolicyAnswer:
        """The organisation's policy."""
        callers.see(await callers.who_calls(request, ground), organisation_id, "read")
        await reached(at_least, queries)
        organisation, position = await queries.organisation(organisation_id)
        if organisation is None:
            raise callers.not_found()
        return PolicyAnswer.of(organisation.with_home(ground.home), ground.now(), position)

    @router.get("/summary")
    async def summary(
        request: Request, organisation_id: Id, at_least: AtLeast = None
    ) -> SummaryAnswer:
        """Who has 2FA and who hasn't."""
        callers.see(await callers.who_calls(request, ground), organisation_id, "read")
        await reached(at_least, queries)
        organisation, _ = await queries.organisation(organisation_id)
        if organisation is None:
            raise callers.not_found()
        found, position = await queries.summary(organisation_id)
        return SummaryAnswer.of(organisation_id, found, position)

    return router
