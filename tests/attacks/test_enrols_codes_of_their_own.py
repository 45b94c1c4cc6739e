"""Somebody who wants another's account to take the codes of an authenticator of their own."""

from base64 import b32decode
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from services.auth.domain.throttle import DISCLOSED_AT_MOST
from services.demo.flows import new_password
from tests.attacks.system import NO_THANKS, SETUP_NEW, Attacked


class TestSettingUp:
    @pytest.mark.row(16, 27)
    def test_a_seed_is_random_standard_and_shown_once(
        self, world: Attacked, organisation: str
    ) -> None:
        seen = set()
        for _ in range(3):
            sam = world.invite(organisation)
            change = world.open(world.link(sam)).expect(200).body["change"]
            shown = world.auth.post("/api/password-changes/authenticator", {"change": change})
            assert shown.expect(200).headers["cache-control"] == "no-store"
            uri = urlsplit(shown.body["otpauth_uri"])
            told = {name: values[0] for name, values in parse_qs(uri.query).items()}
            secret = shown.body["secret"].replace(" ", "")
            assert len(b32decode(secret)) == 20
            assert told["secret"] == secret
            assert told.get("algorithm", "SHA1") == "SHA1"
            assert (told.get("digits", "6"), told.get("period", "30")) == ("6", "30")
            assert "<svg" in shown.body["qr_svg"]
            assert "http" not in shown.body["qr_svg"].replace("http://www.w3.org/2000/svg", "")
            again = world.auth.post("/api/password-changes/authenticator", {"change": change})
            assert again.expect(200).body["secret"] != shown.body["secret"]
            seen.add(secret)
        assert len(seen) == 3

    @pytest.mark.row(25)
    def test_the_live_seed_is_untouched_until_the_new_one_is_confirmed(
        self, world: Attacked, organisation: str
    ) -> None:
        eve = world.join(organisation, choice=SETUP_NEW)
        change = world.open(world.ask_for_link(eve), eve.app.code()).expect(200).body["change"]
        shown = world.auth.post("/api/password-changes/authenticator", {"change": change}).body
        other = pyotp.TOTP(shown["secret"].replace(" ", ""))
        body = {
            "change": change, "password": new_password(), "choice": SETUP_NEW,
            "authenticator": shown["authenticator"],
        }  # fmt: skip
        world.log.mark()
        full_width = {ord("0") + n: 0xFF10 + n for n in range(10)}
        for code in (eve.app.wrong(), None, other.now().translate(full_width)):
            world.auth.post(
                "/api/password-changes/finish", body | ({"code": code} if code else {})
            ).expect(422)
        world.log.expect_none(eve.account, "two_factor_enrolled")
        refused = world.login(eve, code=other.now())  # Its codes open nothing yet.
        refused.expect(401, "invalid-credentials")
        world.logged_in(eve, ahead=True).expect(200, two_factor="on")

    @pytest.mark.row(26)
    def test_a_stolen_session_changes_no_factor(self, world: Attacked, organisation: str) -> None:
        ada = world.administrator(organisation)
        world.log.mark()
        stolen = ada.session
        for path in ("open", "authenticator", "finish"):
            for body in (
                {"ticket": stolen}, {"change": stolen},
                {"change": stolen, "password": new_password(), "choice": NO_THANKS},
            ):  # fmt: skip
                answer = world.auth.post(f"/api/password-changes/{path}", body, stolen)
                assert answer.status in {410, 422}, (path, body)
        good = {"password": ada.password, "code": ada.app.lasting_code()}
        for wrong in ({"password": new_password()}, {"code": ada.app.wrong()}, {"code": ""}):
            world.auth.post("/api/step-up", good | wrong, stolen).expect(401)
        world.auth.post("/api/step-up", good, stolen).expect(200)
        for kind in ("password_set", "two_factor_enrolled", "two_factor_disabled"):
            world.log.expect_none(ada.account, kind)

    @pytest.mark.row(27)
    def test_a_link_shows_so_many_seeds_however_often_it_is_opened(
        self, world: Attacked, organisation: str
    ) -> None:
        sam = world.invite(organisation)
        ticket = world.link(sam)
        world.log.mark()
        change, shown = "", None
        for number in range(DISCLOSED_AT_MOST):
            web = world.auths[number % 3]
            change = world.open(ticket, web=web).expect(200).body["change"]
            shown = web.post("/api/password-changes/authenticator", {"change": change}).expect(200)
        assert shown is not None
        for web in world.auths:
            change_too = world.open(ticket, web=web).expect(200).body["change"]
            for one in (change, change_too):
                over = web.post("/api/password-changes/authenticator", {"change": one})
                assert "new link" in over.expect(410, "ticket-dead").body["reason"]
        world.log.expect_none(sam.links, "nothing")
        proposed = list(world.log.new(sam.links, "authenticator_proposed"))
        assert len(proposed) == DISCLOSED_AT_MOST
        # Nobody is locked out: the last one that was shown can be confirmed.
        code = pyotp.TOTP(shown.body["secret"].replace(" ", "")).now()
        body = {"change": change, "password": new_password(), "choice": SETUP_NEW,
                "authenticator": shown.body["authenticator"], "code": code}  # fmt: skip
        world.auth.post("/api/password-changes/finish", body).expect(200, two_factor="on")
