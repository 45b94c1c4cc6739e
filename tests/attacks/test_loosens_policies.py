"""Somebody who wants less than their organisation asks for: no 2FA, the old password."""

from uuid import uuid4

import pytest

from services.demo.flows import accepted
from tests.attacks.system import NO_THANKS, SETUP_NEW, Attacked

REASON = "Because I can."


class TestMandatory:
    @pytest.mark.row(28)
    def test_sessions_without_2fa_are_refused_on_every_route(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation, "administrator")
        world.logged_in(sam)
        eve = world.administrator(organisation)
        world.auth.get("/api/session", sam.session).expect(200)
        world.staff.get(f"/api/organisations/{organisation}/staff", sam.session).expect(
            403, "two-factor-required"
        )
        data = {"organisation_id": organisation, "mandatory": True, "reason": REASON}
        accepted(world.operator.send("set_two_factor_policy", data))
        for web in (world.auth, world.staff):
            for path, operations in web.get("/openapi.json").body["paths"].items():
                at = path.replace("{organisation_id}", organisation).replace(
                    "{staff_id}", eve.staff_id
                ).replace("{command_id}", str(uuid4()))  # fmt: skip
                for method in operations:
                    if any(part in path for part in ("/login/", "/password-")):
                        continue
                    body: dict[str, object] = {}
                    if "step" in path:
                        body = {"password": sam.password, "code": "000000"}
                    if "commands" in path:
                        body = {"type": "deactivate_staff", "data": world.about(eve)}
                    answer = (
                        web.get(at, sam.session)
                        if method == "get"
                        else web.post(at, body, sam.session)
                    )
                    assert answer.status == 401, (method, path, answer)
        world.login(sam).expect(200, outcome="link_sent", reason="two_factor_mandatory")
        world.auth.get("/api/session", eve.session).expect(200)

    @pytest.mark.row(32)
    def test_who_was_disabled_must_enrol_again(self, world: Attacked, organisation: str) -> None:
        ada, eve = world.administrator(organisation), world.join(organisation, choice=SETUP_NEW)
        data = {"organisation_id": organisation, "mandatory": True, "reason": REASON}
        accepted(world.operator.send("set_two_factor_policy", data))
        accepted(world.command(ada, "disable_two_factor", world.about(eve)))
        world.login(eve).expect(200, outcome="link_sent", reason="two_factor_mandatory")
        change = world.open(world.link(eve)).expect(200, options=[SETUP_NEW]).body["change"]
        world.finish(eve, change, NO_THANKS).expect(409, "choice-unavailable")
        world.finish(eve, change, SETUP_NEW).expect(200, two_factor="on")


class TestExpiry:
    @pytest.mark.row(9, 10)
    def test_is_off_by_default_and_told_after_both_factors(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.join(organisation)
        world.login(sam, web=world.ahead).expect(200, outcome="logged_in")
        data = {"organisation_id": organisation, "max_age_days": 30, "reason": REASON}
        eve = world.join(organisation, choice=SETUP_NEW)
        accepted(world.operator.send("set_password_expiry", data))
        wrong = world.login(eve, code=eve.app.wrong(), web=world.ahead)
        assert wrong.expect(401, "invalid-credentials").body.keys() == {"type", "title", "status"}
        wrong = world.login(sam, password="wrong-lantern-at-dusk", web=world.ahead)
        wrong.expect(401, "invalid-credentials")
        world.login(sam, web=world.ahead).expect(200, outcome="password_change_required")
