"""A publisher's key in wrong hands: it does what it is registered for, until it is taken out."""

from hashlib import sha256
from uuid import uuid4

import pytest

from services.demo.flows import accepted, rejected
from services.demo.people import Somebody
from tests.attacks.commands import command, letters
from tests.attacks.conftest import Publishers
from tests.attacks.system import HOME, SETUP_NEW, Attacked, until

WITHIN_S = 5


class TestPublishers:
    @pytest.mark.row(44)
    def test_rotate_and_are_revoked_without_a_restart(
        self, world: Attacked, organisation: str, publishers: Publishers
    ) -> None:
        people = [world.join(organisation, choice=SETUP_NEW) for _ in range(3)]
        old = publishers.add("billing-1", ["disable_two_factor"], ["*"])
        accepted(old.send("disable_two_factor", world.about(people[0])))
        # Rotation: both are good for as long as both stand there.
        new = publishers.add("billing-2", ["disable_two_factor"], ["*"])
        accepted(new.send("disable_two_factor", world.about(people[1])))
        publishers.revoke_all()
        publishers.register(
            "billing-2", publishers.keys["billing-2"], ["disable_two_factor"], ["*"]
        )
        before = len(letters(world))
        stolen = command("disable_two_factor", world.about(people[2]), actor="service/billing-1")
        world.place(stolen, organisation, "billing-1", publishers.keys["billing-1"])
        until(lambda: len(letters(world)) > before)
        world.login(people[2]).expect(401)
        accepted(new.send("disable_two_factor", world.about(people[2])))

    @pytest.mark.row(44)
    def test_who_act_for_people_have_those_people_s_rights_alone(
        self, world: Attacked, organisation: str, publishers: Publishers
    ) -> None:
        ada, sam = world.administrator(organisation), world.join(organisation)
        desk = publishers.add("desk", ["*"], ["*"], ("staff",))
        rejected(desk.send("deactivate_staff", world.about(sam)), "not-permitted")
        rejected(
            desk.send("deactivate_staff", world.about(sam), actor=f"staff/{sam.staff_id}"),
        )
        mandatory = {"organisation_id": organisation, "mandatory": True, "reason": "x"}
        rejected(desk.send("set_two_factor_policy", mandatory, actor=f"staff/{ada.staff_id}"))
        helper = {
            "organisation_id": "00000000-0000-4000-8000-000000000001", "staff_id": str(uuid4()),
            "username": f"mole.{uuid4().hex[:6]}", "email": "mole@evil.example",
            "display_name": "Mole", "role": "support",
        }  # fmt: skip
        every = publishers.add("every", ["*"], ["*"], ("service", "staff"))
        rejected(every.send("register_staff", helper), "not-permitted")
        accepted(desk.send("deactivate_staff", world.about(sam), actor=f"staff/{ada.staff_id}"))

    @pytest.mark.row(44)
    def test_who_cannot_make_support_cannot_take_over_whoever_is(
        self, world: Attacked, publishers: Publishers
    ) -> None:
        """
        A new address for somebody of support, then out and in again: neither password nor 2FA is
        left, and the thief's mailbox sets both.
        """
        sue = world.join(HOME, "support", SETUP_NEW)
        who = {"organisation_id": HOME, "staff_id": sue.staff_id}
        personnel = publishers.add("personnel", ["*"], ["*"])
        address = {**who, "email": "thief@evil.example"}
        rejected(personnel.send("change_staff_details", address), "not-permitted")
        for name in ("deactivate_staff", "reactivate_staff", "disable_two_factor"):
            rejected(personnel.send(name, world.about(sue)), "not-permitted")
        world.logged_in(sue)
        # What it may do to everybody else.
        other = world.join(world.organisation("Other Estates"), choice=SETUP_NEW)
        for name in ("disable_two_factor", "deactivate_staff", "reactivate_staff"):
            accepted(personnel.send(name, world.about(other)))

    @pytest.mark.row(44, 31)
    def test_api_keys_see_and_do_what_they_are_for(
        self, world: Attacked, organisation: str, publishers: Publishers
    ) -> None:
        token = f"tfk_{uuid4().hex}{uuid4().hex}"
        publishers.write(
            f"{publishers.before}\n[api_keys.dashboard]\nhash = "
            f'"{sha256(token.encode()).hexdigest()}"\nscopes = ["read"]\n'
            f'organisations = ["{organisation}"]\n'
        )
        eve: Somebody = world.join(organisation, choice=SETUP_NEW)
        world.staff.get(f"/api/organisations/{organisation}/staff", token).expect(200)
        elsewhere = world.organisation("Other Estates")
        world.staff.get(f"/api/organisations/{elsewhere}/staff", token).expect(404)
        world.staff.get(
            f"/api/organisations/{organisation}/staff/{eve.staff_id}/history", token
        ).expect(403)
        body = {"type": "disable_two_factor", "data": world.about(eve)}
        world.staff.post("/api/commands", body, token).expect(403)
        world.auth.get("/api/session", token).expect(401)
        publishers.revoke_all()
        world.staff.get(f"/api/organisations/{organisation}/staff", token).expect(401)
