"""Pages of administrators and support: the same questions and commands as the JSON calls."""

from services.staff.web.pages.desk import PagesGround
from services.staff.web.pages.site import pages

__all__ = ["PagesGround", "pages"]
