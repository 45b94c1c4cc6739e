"""Every page's template with made-up data, by name."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as One
from typing import Any

from markupsafe import Markup

from services.auth.web.qr import qr_svg

AUTH = "services.auth.web.pages"
STAFF = "services.staff.web.pages"

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
URI = f"otpauth://totp/agentOS:ada.clarke?secret={SECRET}&issuer=agentOS"


def at(day: int, hour: int = 9, minute: int = 42) -> datetime:
    """A moment in November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


CHOICES = ["no_thanks", "keep_existing", "setup_new"]
HERE = "203.0.113.7, Firefox on Linux"
ACTIVITY = [
    One(
        words="Logged in with password and code", at=at(24), source="203.0.113.7, Firefox on Linux"
    ),
    One(words="Wrong password", at=at(23, 17), source=HERE),
    One(
        words="Logged in with password and code",
        at=at(23, 8),
        source="198.51.100.20, Safari on iPhone",
    ),
]
HOME = {
    "name": "Ada Clarke",
    "username": "ada.clarke",
    "organisation": "Clarke & Daughters",
    "since": at(24),
    "ends": at(24, 19),
    "two_factor": True,
    "mandatory_from": None,
    "activity": ACTIVITY,
    "staff_pages": None,
}
SETUP = {
    "held": "x",
    "authenticator": "y",
    "shown": One(otpauth_uri=URI, secret=SECRET),
    "qr_svg": Markup(qr_svg(URI)),  # noqa: S704
}

PAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "login": (AUTH, "login.html", {"notice": None, "next": None}),
    "login-ended": (
        AUTH,
        "login.html",
        {"notice": "Your session is over. Please log in again.", "next": "/home"},
    ),
    "credentials": (
        AUTH,
        "credentials.html",
        {"username": "ada.clarke", "refused": False, "pause": None},
    ),
    "credentials-refused": (
        AUTH,
        "credentials.html",
        {"username": "ada.clarke", "refused": True, "pause": None, "error": True},
    ),
    "credentials-paused": (
        AUTH,
        "credentials.html",
        {"username": "ada.clarke", "refused": False, "pause": timedelta(minutes=5)},
    ),
    "forgot": (AUTH, "forgot.html", {}),
    "forgot-sent": (AUTH, "forgot_sent.html", {}),
    "link-sent-mandatory": (AUTH, "link_sent.html", {"reason": "two_factor_mandatory"}),
    "link-sent-required": (AUTH, "link_sent.html", {"reason": "reset_required"}),
    "link-opened": (AUTH, "link_opened.html", {}),
    "link-code": (AUTH, "link_code.html", {}),
    "link-dead": (AUTH, "link_dead.html", {"flow": "link"}),
    "new-password": (AUTH, "new_password.html", {"expired": False, "shortest": 15}),
    "new-password-refused": (
        AUTH,
        "new_password.html",
        {
            "expired": True,
            "shortest": 15,
            "error": "Use 15 characters or more; a few words do well.",
        },
    ),
    "choice": (
        AUTH,
        "choice.html",
        {"options": CHOICES, "held": "x", "mandatory_from": None},
    ),
    "choice-mandatory": (
        AUTH,
        "choice.html",
        {"options": ["setup_new"], "held": "x", "mandatory_from": None},
    ),
    "choice-new": (
        AUTH,
        "choice.html",
        {"options": ["no_thanks", "setup_new"], "held": "x", "mandatory_from": at(30)},
    ),
    "setup": (AUTH, "setup.html", SETUP),
    "setup-wrong": (
        AUTH,
        "setup.html",
        {**SETUP, "shown": None, "qr_svg": None, "error": "That code isn’t right."},
    ),
    "password-set": (AUTH, "password_set.html", {"two_factor": "on"}),
    "password-set-off": (AUTH, "password_set.html", {"two_factor": "off"}),
    "home": (AUTH, "home.html", HOME),
    "home-off": (
        AUTH,
        "home.html",
        {**HOME, "two_factor": False, "mandatory_from": at(30), "staff_pages": "/staff"},
    ),
    "step-up": (
        AUTH,
        "step_up.html",
        {"username": "ada.clarke", "next": "/", "back": "/home", "refused": False, "pause": None},
    ),
    "step-up-unavailable": (AUTH, "step_up_unavailable.html", {}),
    "problem": (AUTH, "problem.html", {"problem": "not-done"}),
    "problem-forged": (AUTH, "problem.html", {"problem": "forged"}),
    "problem-error": (AUTH, "problem.html", {"problem": "error"}),
}
