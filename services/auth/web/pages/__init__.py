"""People's pages: they call the same handlers as the JSON calls do, and decide nothing."""

from services.auth.web.pages.ground import PagesGround
from services.auth.web.pages.site import pages

__all__ = ["PagesGround", "pages"]
