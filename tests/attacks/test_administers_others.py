"""An administrator who reaches for other organisations, for themself, for more than they may."""

import time
from typing import Any
from uuid import uuid4

import pytest

from services.demo.flows import accepted, rejected
from services.demo.people import Somebody
from services.demo.world import Answer
from tests.attacks.conftest import Publishers
from tests.attacks.system import HOME, NO_THANKS, SETUP_NEW, Attacked, beside, until

REASON = "Because I can."


def acts(somebody: Somebody) -> dict[str, dict[str, object]]:
    """Every administrative act, about *somebody*."""
    about = {"organisation_id": somebody.organisation_id, "staff_id": somebody.staff_id}
    where = {"organisation_id": somebody.organisation_id}
    return {
        "register_organisation": {**where, "name": "Taken over"},
        "register_staff": {
            **where, "staff_id": str(uuid4()), "username": f"mole.{uuid4().hex[:8]}",
            "email": "mole@evil.example", "display_name": "Mole", "role": "administrator",
        },
        "change_staff_details": {**about, "email": "mole@evil.example"},
        "change_role": {**about, "role": "administrator", "reason": REASON},
        "disable_two_factor": {**about, "reason": REASON},
        "require_password_reset": {**about, "reason": REASON},
        "deactivate_staff": {**about, "reason": REASON},
        "reactivate_staff": {**about, "reason": REASON},
        "forget_staff": {**about, "reason": REASON},
        "set_two_factor_policy": {**where, "mandatory": False, "reason": REASON},
        "set_password_expiry": {**where, "max_age_days": 1, "reason": REASON},
    }  # fmt: skip


def sent(world: Attacked, actor: Somebody, name: str, data: dict[str, object]) -> Answer:
    """A command over HTTP."""
    return world.staff.post("/api/commands", {"type": name, "data": data}, actor.session)


class TestAcrossOrganisations:
    @pytest.mark.quick
    @pytest.mark.row(30, 31)
    def test_every_act_over_http_finds_nothing(self, world: Attacked, organisation: str) -> None:
        ada = world.administrator(organisation)
        eve = world.join(world.organisation("Other Estates"), choice=SETUP_NEW)
        nobody = Somebody(str(uuid4()), str(uuid4()), "", "")
        world.log.mark()
        sent_there = []
        for name in acts(eve):
            told = []
            for whom in (eve, nobody):
                answer = sent(world, ada, name, acts(whom)[name])
                if answer.status == 202:
                    sent_there += [name] if whom is eve else []
                    told.append(rejected(world.outcome(ada, answer.body["command_id"]))["reason"])
                else:
                    told.append(answer.expect(403).problem)
            assert told[0] == told[1], name
        # The tries stand in the history; read up to them, it holds nothing else of hers.
        tried: list[dict[str, Any]] = []

        def all_are_there() -> bool:
            world.log.poll()
            tried[:] = [r for r in world.log.new("", "command_rejected") if r["subject"].startswith(
                f"{eve.organisation_id}/command/"
            )]  # fmt: skip
            return len(tried) == len(sent_there)

        until(all_are_there)
        assert tried
        assert all(record["actor"] == f"staff/{ada.staff_id}" for record in tried)
        for kind in (
            "two_factor_disabled", "password_reset_required", "staff_deactivated", "role_changed",
            "staff_details_changed", "staff_forgotten",
        ):  # fmt: skip
            world.log.expect_none(eve.account, kind)

    @pytest.mark.row(31)
    def test_every_question_is_answered_as_about_nothing(
        self, world: Attacked, organisation: str
    ) -> None:
        ada = world.administrator(organisation)
        eve = world.join(world.organisation("Other Estates"))
        sam = world.join(organisation)
        log = (world.folder / "staff.log").stat().st_size
        for rest in ("policy", "summary", "staff", f"staff/{eve.staff_id}",
                     f"staff/{eve.staff_id}/history"):  # fmt: skip
            other = world.staff.get(f"/api/organisations/{eve.organisation_id}/{rest}", ada.session)
            none = world.staff.get(f"/api/organisations/{uuid4()}/{rest}", ada.session)
            assert (other.status, other.body) == (none.status, none.body)
            other.expect(404, "not-found")
            own = rest.replace(eve.staff_id, sam.staff_id)
            world.staff.get(f"/api/organisations/{organisation}/{own}", ada.session).expect(200)
        here = f"/api/organisations/{organisation}"
        other = world.staff.get(f"{here}/staff/{eve.staff_id}", ada.session).expect(404)
        assert other.body == world.staff.get(f"{here}/staff/{uuid4()}", ada.session).body
        assert "organisation.not_theirs" in (world.folder / "staff.log").read_text()[log:]

    @pytest.mark.row(30, 31)
    def test_every_act_over_kafka_finds_nothing(self, world: Attacked, organisation: str) -> None:
        """By somebody who holds the staff service's own key, and signs as a real administrator."""
        ada = world.administrator(organisation)
        eve = world.join(world.organisation("Other Estates"), choice=SETUP_NEW)
        thief = world.publisher(world.ring.signing_id, world.ring.signing)
        world.log.mark()
        actor = f"staff/{ada.staff_id}"
        nobody = Somebody(str(uuid4()), str(uuid4()), "", "")
        for name, data in acts(eve).items():
            told = rejected(thief.send(name, data, actor=actor))["reason"]
            assert told in {"unknown-organisation", "not-permitted"}, (name, told)
            assert told == rejected(thief.send(name, acts(nobody)[name], actor=actor))["reason"]
        own = world.join(organisation, choice=SETUP_NEW)
        accepted(thief.send("disable_two_factor", world.about(own), actor=actor))
        for kind in ("two_factor_disabled", "password_reset_required", "staff_deactivated",
                     "role_changed", "staff_details_changed", "staff_forgotten"):  # fmt: skip
            world.log.expect_none(eve.account, kind)

    @pytest.mark.row(30, 44)
    def test_a_key_of_one_organisation_does_nothing_in_another(
        self, world: Attacked, organisation: str, publishers: Publishers
    ) -> None:
        eve = world.join(world.organisation("Other Estates"), choice=SETUP_NEW)
        own = world.join(organisation, choice=SETUP_NEW)
        bound = publishers.add("bound", ["disable_two_factor"], [organisation])
        rejected(bound.send("disable_two_factor", world.about(eve)))
        rejected(bound.send("deactivate_staff", world.about(own)))
        rejected(bound.send("disable_two_factor", world.about(own), actor="service/operator"))
        rejected(bound.send("disable_two_factor", world.about(own), actor=f"staff/{uuid4()}"))
        accepted(bound.send("disable_two_factor", world.about(own)))


class TestAdministrators:
    @pytest.mark.row(26, 30)
    def test_need_a_step_up_and_a_reason_and_their_own_organisation(
        self, world: Attacked, organisation: str
    ) -> None:
        ada = world.administrator(organisation)
        eve = world.join(organisation, choice=SETUP_NEW)
        world.logged_in(eve)
        before = len(world.mails(eve))
        data = world.about(eve)
        assert sent(world, ada, "disable_two_factor", {**data, "reason": ""}).status == 422
        world.log.mark()
        accepted(world.command(ada, "disable_two_factor", data))
        record = world.log.expect(eve.account, "two_factor_disabled", cause="administrator")
        assert record["actor"] == f"staff/{ada.staff_id}"
        assert data["reason"] not in str(record)  # Sealed, for it may say something personal.
        world.auth.get("/api/session", eve.session).expect(401)
        until(lambda: len(world.mails(eve)) > before)
        world.login(eve).expect(200, two_factor="off")

    @pytest.mark.row(26, 30)
    def test_of_a_quarter_of_an_hour_ago_must_prove_both_factors_again(
        self, world: Attacked, organisation: str
    ) -> None:
        """
        So a stolen session makes no administrator to stay in with, takes over no address, and
        brings nobody back whom it put out: they come without a second factor.
        """
        ada = world.administrator(organisation)
        eve = world.join(organisation, choice=SETUP_NEW)
        grave = {name: acts(eve)[name] for name in (
            "disable_two_factor", "require_password_reset", "change_role", "register_staff",
            "change_staff_details", "reactivate_staff",
        )}  # fmt: skip
        for name, data in grave.items():
            refused = world.late_staff.post(
                "/api/commands", {"type": name, "data": data}, ada.session
            )
            refused.expect(403, "step-up-required")
        world.late_staff.get(f"/api/organisations/{organisation}/staff", ada.session).expect(200)

    @pytest.mark.row(29)
    def test_never_touch_the_policy_and_support_needs_2fa(
        self, world: Attacked, organisation: str
    ) -> None:
        ada = world.administrator(organisation)
        data = {"organisation_id": organisation, "mandatory": True, "reason": REASON}
        expiry = acts(ada)["set_password_expiry"]
        sent(world, ada, "set_two_factor_policy", data).expect(403, "not-permitted")
        sent(world, ada, "set_password_expiry", expiry).expect(403, "not-permitted")
        # Support's own organisation is mandatory from its first moment: no session without 2FA.
        helper = world.invite(HOME, "support")
        change = world.open(world.link(helper)).expect(200, options=[SETUP_NEW])
        world.finish(helper, change.body["change"], NO_THANKS).expect(409)
        weak = world.join(organisation, "administrator")
        world.logged_in(weak)
        for name, told in acts(ada).items():
            sent(world, weak, name, told).expect(403, "two-factor-required")
        off = {"organisation_id": HOME, "mandatory": False, "reason": REASON}
        rejected(world.operator.send("set_two_factor_policy", off), "home-organisation")

    @pytest.mark.row(29)
    def test_act_on_nobody_s_last_administrator_and_never_on_themself(
        self, world: Attacked, organisation: str
    ) -> None:
        ada = world.administrator(organisation)
        demote = {**world.about(ada), "role": "staff"}
        for name, data in (("deactivate_staff", world.about(ada)), ("change_role", demote),
                           ("forget_staff", world.about(ada))):  # fmt: skip
            rejected(world.operator.send(name, data), "last-administrator")
        world.join(organisation, "administrator", SETUP_NEW)  # From here on she isn't the last.
        for name, data in (
            ("deactivate_staff", world.about(ada)), ("change_role", demote),
            ("disable_two_factor", world.about(ada)), ("require_password_reset", world.about(ada)),
        ):  # fmt: skip
            answer = sent(world, ada, name, data).expect(202)
            rejected(world.outcome(ada, answer.body["command_id"]), "on-yourself")
        sent(world, ada, "forget_staff", world.about(ada)).expect(403, "not-permitted")
        world.auth.get("/api/session", ada.session).expect(200)
        accepted(world.operator.send("deactivate_staff", world.about(ada)))

    @pytest.mark.row(29, 37)
    def test_who_remove_each_other_at_once_leave_one(
        self, world: Attacked, organisation: str
    ) -> None:
        ada, eve = world.administrator(organisation), world.administrator(organisation)
        sends = [
            sent(world, a, "deactivate_staff", world.about(b)).expect(202)
            for a, b in ((ada, eve), (eve, ada))
        ]
        told = [world.outcome_of(answer.body["command_id"])["outcome"] for answer in sends]
        assert sorted(told) == ["accepted", "rejected"]

    @pytest.mark.row(34)
    def test_whose_role_is_raised_log_in_again(self, world: Attacked, organisation: str) -> None:
        ada, eve = world.administrator(organisation), world.join(organisation, choice=SETUP_NEW)
        people, stolen = (
            f"/api/organisations/{organisation}/staff",
            world.logged_in(eve).body["session"],
        )
        world.staff.get(people, stolen).expect(403)
        accepted(world.command(ada, "change_role", {**world.about(eve), "role": "administrator"}))
        world.staff.get(people, stolen).expect(401)
        for web in world.auths:
            web.get("/api/session", stolen).expect(401)
        world.staff.get(people, world.logged_in(eve).body["session"]).expect(200)

    @pytest.mark.row(48)
    def test_who_were_demoted_command_no_more_not_even_by_what_is_queued(
        self, world: Attacked, organisation: str
    ) -> None:
        ada, eve = world.administrator(organisation), world.administrator(organisation)
        sam = world.join(organisation, choice=SETUP_NEW)
        # Her command waits in the queue behind her demotion: both are sent while nobody consumes.
        key_id, key = world.ring.signing_id, world.ring.signing
        signer = world.publisher(key_id, key)
        first, second = str(uuid4()), str(uuid4())
        demotion = signer.write(
            "change_role", {**world.about(eve), "role": "staff"}, first, f"staff/{ada.staff_id}"
        )
        late = signer.write("disable_two_factor", world.about(sam), second, f"staff/{eve.staff_id}")
        world.processes["staff"].pause()
        try:
            world.place(demotion, organisation, key_id, key)
            world.place(late, organisation, key_id, key)
        finally:
            world.processes["staff"].resume()
        assert world.outcome_of(first)["outcome"] == "accepted"
        assert world.outcome_of(second) == {"outcome": "rejected", "reason": "not-permitted"}
        world.login(sam, code=sam.app.code()).expect(200, two_factor="on")


class TestUsernames:
    def test_passed_around_hold_up_no_other_organisation_s_commands(
        self, world: Attacked, organisation: str
    ) -> None:
        """A name claimed and given up within ten seconds is kept: nobody waits for it in line."""
        ada = world.administrator(organisation)
        eve, sam = world.invite(organisation), world.invite(organisation)
        neighbour = world.organisation("Next in Line")
        while beside(neighbour) != beside(organisation):
            neighbour = world.organisation("Next in Line")
        bob, ned = world.administrator(neighbour), world.invite(neighbour)
        asked: list[str] = []
        for _ in range(4):
            name = f"passed.{uuid4().hex[:12]}"
            for whom, new in ((eve, name), (eve, f"{name}.gone"), (sam, name)):
                data = {"organisation_id": organisation, "staff_id": whom.staff_id}
                answer = sent(world, ada, "change_staff_details", {**data, "username": new})
                asked.append(answer.expect(202).body["command_id"])
        began = time.monotonic()
        accepted(world.command(bob, "deactivate_staff", world.about(ned)))
        waited = time.monotonic() - began
        told = [world.outcome(ada, command_id).get("reason") for command_id in asked]
        assert told == [None, None, "username-not-yet-free"] * 4
        assert waited < 3, waited  # Of all twelve together; each name was worth ten seconds.
