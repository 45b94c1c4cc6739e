"""All of the staff service's pages together."""

from services.staff.web.pages import actions, organisation, outcome, people, profile, support
from services.staff.web.pages.desk import Desk, PagesGround
from services.web.pages.site import Site


def pages(ground: PagesGround) -> Site:
    """The pages."""
    site = Site(
        package="services.staff.web.pages",
        url=ground.places.staff,
        assets_path="/staff/assets",
        start="/staff",
        key=ground.base.ring.derive,
        now=ground.base.now,
        also=(ground.places.auth,),
    )
    desk = Desk(ground)
    for part in (support, people, profile, actions, organisation, outcome):
        part.add(site, desk)
    return site
