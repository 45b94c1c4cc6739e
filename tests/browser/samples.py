"""Every page's template with made-up data, by name."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as One
from typing import Any

from markupsafe import Markup

from events.organisation import Organisation, Policy
from services.auth.web.qr import qr_svg
from services.projections.port import Summary
from services.staff.web.answers import PersonAnswer

AUTH = "services.auth.web.pages"
STAFF = "services.staff.web.pages"

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
URI = f"otpauth://totp/agentOS:ada.clarke?secret={SECRET}&issuer=agentOS"


def at(day: int, hour: int = 9, minute: int = 42) -> datetime:
    """A moment in November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


CHOICES = ["no_thanks", "keep_existing", "setup_new"]
HERE = "203.0.113.7, Firefox on Linux"
LOGINS = [
    One(words="Logged in with password and code", at=at(24), source=HERE),
    One(
        words="Logged in with password and code",
        at=at(23, 8),
        source="198.51.100.20, Safari on iPhone",
    ),
]
REFUSED = [
    One(words="Wrong password", at=at(23, 17), source=HERE),
    One(words="Right password, wrong code, in an open session", at=at(22), source=HERE),
    One(words="E-mailed link, wrong code", at=at(21), source="198.51.100.20, another program"),
]
HOME = {
    "name": "Ada Clarke",
    "username": "ada.clarke",
    "organisation": "Clarke & Daughters",
    "since": at(24),
    "ends": at(24, 19),
    "two_factor": True,
    "mandatory_from": None,
    "logins": LOGINS,
    "refused": REFUSED,
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
    "link-lost": (AUTH, "link_lost.html", {}),
    "link-dead": (AUTH, "link_dead.html", {"flow": "link", "used_up": False}),
    "link-used-up": (AUTH, "link_dead.html", {"flow": "link", "used_up": True}),
    "new-password": (
        AUTH,
        "new_password.html",
        {"username": "ada.clarke", "expired": False, "shortest": 15, "chosen": ""},
    ),
    "new-password-refused": (
        AUTH,
        "new_password.html",
        {
            "username": "ada.clarke",
            "expired": True,
            "shortest": 15,
            "chosen": "",
            "error": "Use 15 characters or more; a few words do well.",
        },
    ),
    "new-password-current": (
        AUTH,
        "new_password.html",
        {
            "username": "ada.clarke",
            "expired": False,
            "shortest": 15,
            "chosen": "setup_new",
            "authenticator": "x",
            "error": "This is the current password; choose a new one.",
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
    "setup-again": (AUTH, "setup.html", {**SETUP, "shown": None, "qr_svg": None}),
    "password-set": (AUTH, "password_set.html", {"two_factor": "on"}),
    "password-set-off": (AUTH, "password_set.html", {"two_factor": "off"}),
    "home": (AUTH, "home.html", HOME),
    "home-off": (
        AUTH,
        "home.html",
        {
            **HOME,
            "two_factor": False,
            "mandatory_from": at(30),
            "staff_pages": "/staff",
            "refused": [],
        },
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

ORG = "7d0c5f4e-0000-4000-8000-00000000000a"
CLARKE = Organisation(organisation_id=ORG, name="Clarke & Daughters", registered=at(1))
SEAT = One(is_support=False, organisation_id=ORG, name="Ada Clarke")
SUPPORT = One(is_support=True, organisation_id="home", name="Sam Support")
SUMMARY = Summary(active=212, with_two_factor=198, without_two_factor=14)


def person(number: int, name: str, **others: Any) -> PersonAnswer:
    """A person as the pages show them."""
    username = name.lower().replace(" ", ".")
    told: dict[str, Any] = {
        "organisation_id": ORG,
        "staff_id": f"7d0c5f4e-0000-4000-8000-0000000000{number:02}",
        "role": "staff",
        "active": True,
        "forgotten": False,
        "two_factor": "on",
        "two_factor_since": at(3),
        "suspended": False,
        "password_set": True,
        "reset_required": False,
        "username": username,
        "email": f"{username}@clarke-daughters.example",
        "display_name": name,
    }
    return PersonAnswer(**(told | others))


PEOPLE = [
    person(1, "Ada Clarke", role="administrator"),
    person(2, "Ben Okafor", two_factor="off", two_factor_since=None),
    person(3, "Chiara Montgomery-Featherstonehaugh", suspended=True),
    person(4, "Dev Patel", two_factor="off", password_set=False),
    person(5, "Eve Lindqvist", two_factor="off", reset_required=True),
    person(6, "Finn Abara", active=False, two_factor="off"),
]
BAR = {"seat": SEAT, "account": "/home", "at": CLARKE}
PROFILE = BAR | {
    "person": PEOPLE[1].model_copy(update={"two_factor": "on"}),
    "name": "Ben Okafor",
    "myself": False,
    "factor": One(kind="enrolled", since=at(3)),
    "factor_by": "",
    "mandatory": False,
    "logins": LOGINS,
    "refused": REFUSED,
    "events": [
        One(
            words="Two-factor authentication was disabled by Ada Clarke.",
            reason="Lost the phone on the train; identity checked by video call.",
            at=at(20),
        ),
        One(
            words="New password set by an e-mailed link, choosing “No Thanks”.",
            reason=None,
            at=at(3),
        ),
        One(words="Registered as staff by Ada Clarke.", reason=None, at=at(2)),
    ],
}
POLICY = BAR | {
    "now_mandatory": False,
    "mandatory_from": None,
    "max_age_days": None,
    "is_home": False,
    "summary": SUMMARY,
    "seat": SUPPORT,
}
OUTCOME = BAR | {"command": "disable_two_factor", "detail": None, "reason": None, "back": "/"}
OUTCOME |= {"about": "Ben Okafor"}
OUTCOME |= {"again": "/"}

PAGES |= {
    name: (STAFF, template, values)
    for name, template, values in (
        (
            "organisations",
            "organisations.html",
            BAR
            | {
                "at": None,
                "seat": SUPPORT,
                "q": "",
                "found": [
                    (CLARKE, Policy()),
                    (CLARKE, Policy(mandatory=True)),
                    (CLARKE, Policy(mandatory=True, effective=at(30))),
                ],
            },
        ),
        (
            "people",
            "people.html",
            BAR
            | {"people": PEOPLE, "count": 6, "more": False, "summary": SUMMARY}
            | {"two_factor": "", "q": ""},
        ),
        ("profile", "profile.html", PROFILE),
        (
            "profile-suspended",
            "profile.html",
            PROFILE | {"person": PEOPLE[2], "name": PEOPLE[2].display_name, "seat": SUPPORT},
        ),
        ("disable", "disable_two_factor.html", PROFILE),
        ("disable-mandatory", "disable_two_factor.html", PROFILE | {"mandatory": True}),
        ("require-reset", "require_password_reset.html", PROFILE | {"error": "Give a reason."}),
        ("organisation", "organisation.html", POLICY | {"seat": SEAT}),
        ("organisation-support", "organisation.html", POLICY | {"mandatory_from": at(30)}),
        (
            "policy",
            "two_factor_policy.html",
            POLICY | {"wanted": "", "date": "", "today": "2026-11-24"},
        ),
        (
            "preview",
            "two_factor_preview.html",
            POLICY | {"mandatory": True, "start": at(30), "date": "2026-11-30"},
        ),
        (
            "preview-now",
            "two_factor_preview.html",
            POLICY | {"mandatory": True, "start": None, "date": ""},
        ),
        ("expiry", "password_expiry.html", POLICY | {"days": ""}),
        ("outcome", "outcome.html", OUTCOME | {"outcome": "accepted"}),
        (
            "outcome-rejected",
            "outcome.html",
            OUTCOME | {"outcome": "rejected", "detail": "Nobody may do this to themself."},
        ),
        ("outcome-pending", "outcome.html", OUTCOME | {"outcome": "pending"}),
        (
            "not-for-you",
            "not_for_you.html",
            {"without_two_factor": True, "account": "/home", "reset": "/forgot-password"},
        ),
    )
}
