"""All of auth's pages together."""

from collections.abc import Callable
from datetime import datetime

from services.auth.ports import BusyError
from services.auth.web.pages import forgotten, home, link, login, new_password, step_up
from services.auth.web.pages.ground import PagesGround
from services.web.pages.site import Site
from services.web.problems import Problem, for_error, unavailable


def pages(ground: PagesGround, *, key: Callable[[str], bytes], now: Callable[[], datetime]) -> Site:
    """
    The pages.

    Args:
        ground: What they call.
        key: The key ring's ``derive``.
        now: The clock that decisions see.
    """
    site = Site(
        package="services.auth.web.pages",
        url=ground.places.auth,
        assets_path="/assets",
        start="/",
        key=key,
        now=now,
        also=(ground.places.staff,),
        problem_of=_problem_of,
    )
    login.add(site, ground)
    forgotten.add(site, ground)
    new_password.add(site, ground)
    link.add(site, ground)
    home.add(site, ground)
    step_up.add(site, ground)
    return site


def _problem_of(error: Exception) -> Problem | None:
    return unavailable() if isinstance(error, BusyError) else for_error(error)
