"""The seven behaviours of the product's help article, in its order."""

from services.demo.flows import AHEAD, World, accepted, check
from services.demo.people import Somebody
from services.demo.world import Answer

SETUP_NEW, KEEP, NO_THANKS = "setup_new", "keep_existing", "no_thanks"


def show(world: World) -> None:
    """Show them one by one."""
    organisation_id = world.organisation("Behaviour Estates")
    ada = world.join(organisation_id, "administrator", SETUP_NEW)
    _both_are_needed(world, world.join(organisation_id, choice=SETUP_NEW))
    _offered_with_each_new_password(world, organisation_id)
    _three_options(world, organisation_id)
    _two_screens(world, ada)
    _disable_and_back_on(world, ada, world.join(organisation_id, choice=SETUP_NEW))
    _optional_by_default(world, ada, organisation_id)


def _both_are_needed(world: World, eve: Somebody) -> None:
    world.console.print("[bold]1 With 2FA on, a login takes password and code[/bold]")
    with world.step("a stolen password alone opens nothing"):
        world.login(eve).expect(401, "invalid-credentials")
        world.log.expect(eve.codes, "login_attempted", outcome="wrong_code")
    with world.step("a password with a wrong code opens nothing"):
        world.login(eve, code=eve.app.wrong()).expect(401, "invalid-credentials")
        world.log.expect(eve.codes, "login_attempted", outcome="wrong_code")
    with world.step("password and code log in"):
        answer = world.logged_in(eve).expect(200, two_factor="on")
        record = world.log.expect(eve.codes, "login_attempted", outcome="succeeded")
        partition, offset = record["_place"]
        check(
            "the answer names the record that decided it",
            holds=answer.body["position"].endswith(f":{partition}:{offset}"),
        )


def _offered_with_each_new_password(world: World, organisation_id: str) -> None:
    world.console.print("[bold]2 Setting up is offered with every new password[/bold]")
    with world.step("to somebody who is invited"):
        sam = world.invite(organisation_id)
        world.log.expect(sam.links, "password_link_issued", cause="invited")
        change = world.open(world.link(sam)).expect(200, options=[NO_THANKS, SETUP_NEW])
        world.finish(sam, change.body["change"], NO_THANKS).expect(200, two_factor="off")
        world.log.expect(sam.account, "password_set", choice=NO_THANKS)
    with world.step("after a password reset"):
        change = world.open(world.ask_for_link(sam)).expect(200, options=[NO_THANKS, SETUP_NEW])
        world.log.expect(sam.links, "password_link_issued", cause="asked_for")
        world.finish(sam, change.body["change"], NO_THANKS).expect(200)
    with world.step("when the current password has expired"):
        expiring = world.organisation("Expiring Estates")
        data = {"organisation_id": expiring, "max_age_days": 90, "reason": "Shown."}
        accepted(world.operator.send("set_password_expiry", data))
        old = world.join(expiring, choice=SETUP_NEW)
        world.login(old, code=old.app.wrong(), web=world.ahead).expect(401)
        world.log.expect(old.codes, "login_attempted", outcome="wrong_code")
        answer = world.login(old, code=old.app.code(AHEAD), web=world.ahead).expect(
            200, outcome="password_change_required", reason="expired"
        )
        world.log.expect(old.codes, "login_attempted", outcome="password_expired")
        options = [NO_THANKS, KEEP, SETUP_NEW]
        change = world.open(answer.body["change"], web=world.ahead).expect(200, options=options)
        world.finish(old, change.body["change"], KEEP, web=world.ahead).expect(200)
        world.log.expect(old.account, "password_set", origin="expired", choice=KEEP)


def _three_options(world: World, organisation_id: str) -> None:
    world.console.print("[bold]3 No Thanks, Keep My Existing Codes, Setup New[/bold]")
    with world.step("Keep My Existing Codes is not on offer before 2FA has been set up"):
        sam = world.invite(organisation_id)
        change = world.open(world.link(sam)).body["change"]
        world.finish(sam, change, KEEP).expect(
            409, "choice-unavailable", options=[NO_THANKS, SETUP_NEW]
        )
        world.log.expect_none(sam.account, "password_set")
    with world.step("Keep My Existing Codes: the same authenticator goes on"):
        eve = world.join(organisation_id, choice=SETUP_NEW)
        _choose(world, eve, KEEP).expect(200, two_factor="on")
        world.log.expect(eve.account, "password_set", choice=KEEP)
        enrolled = list(world.log.new(eve.account, "two_factor_enrolled"))
        check("enrolled once, at first", holds=len(enrolled) == 1)
        world.logged_in(eve, ahead=True).expect(200, two_factor="on")
    with world.step("Setup New Authenticator Codes: a new link, new codes"):
        eve = world.join(organisation_id, choice=SETUP_NEW)
        former = eve.app
        _choose(world, eve, SETUP_NEW).expect(200, two_factor="on")
        world.log.expect(eve.account, "password_set", choice=SETUP_NEW, origin="link")
        enrolled = list(world.log.new(eve.account, "two_factor_enrolled"))
        check("enrolled twice", holds=len(enrolled) == 2)
        old_code = former.code(AHEAD)
        world.login(eve, code=old_code, web=world.ahead).expect(401, "invalid-credentials")
        world.logged_in(eve, ahead=True)
    with world.step("No Thanks: the new password goes without 2FA"):
        eve = world.join(organisation_id, choice=SETUP_NEW)
        _choose(world, eve, NO_THANKS).expect(200, two_factor="off")
        world.log.expect(eve.account, "two_factor_disabled", cause="declined")
        world.logged_in(eve).expect(200, two_factor="off")


def _choose(world: World, eve: Somebody, choice: str) -> Answer:
    change = world.open(world.ask_for_link(eve), eve.app.code()).expect(
        200, options=[NO_THANKS, KEEP, SETUP_NEW]
    )
    return world.finish(eve, change.body["change"], choice)


def _two_screens(world: World, ada: Somebody) -> None:
    world.console.print("[bold]4 Two screens: the username; then password and code[/bold]")
    with world.step("the first screen answers every username alike"):
        lengths = {
            len(world.auth.post("/api/login/start", {"username": name}).expect(200).body["login"])
            for name in (ada.username, "nobody.of.that.name", "x")
        }
        check("the same length for all", holds=len(lengths) == 1)
        world.log.expect_none(ada.codes, "login_attempted")
    with world.step("the second takes password and code together"):
        world.logged_in(ada)
        world.log.expect(ada.codes, "login_attempted", outcome="succeeded")


def _disable_and_back_on(world: World, ada: Somebody, eve: Somebody) -> None:
    world.console.print("[bold]5 An administrator disables it[/bold]")
    world.logged_in(eve)
    with world.step("Disable Two Factor Authentication, from an administrator's session"):
        accepted(world.command(ada, "disable_two_factor", world.about(eve)))
        record = world.log.expect(eve.account, "two_factor_disabled", cause="administrator")
        check("it says who", holds=record["actor"] == f"staff/{ada.staff_id}")
    with world.step("their sessions have ended"):
        world.auth.get("/api/session", eve.session).expect(401)
        path = f"/api/organisations/{eve.organisation_id}/staff/{eve.staff_id}"
        world.staff.get(path, ada.session).expect(200, two_factor="off")
        world.log.expect_none(eve.account, "password_set")
    world.console.print("[bold]6 Once disabled, a password reset turns it on again[/bold]")
    eve.authenticator = None
    with world.step("the password alone logs in, without 2FA"):
        world.logged_in(eve).expect(200, two_factor="off")
        world.log.expect(eve.codes, "login_attempted", outcome="succeeded")
    with world.step("a password reset sets it up again"):
        change = world.open(world.ask_for_link(eve)).expect(200, options=[NO_THANKS, SETUP_NEW])
        world.finish(eve, change.body["change"], SETUP_NEW).expect(200, two_factor="on")
        world.log.expect(eve.account, "two_factor_enrolled")
        world.login(eve).expect(401, "invalid-credentials")
        world.logged_in(eve, ahead=True).expect(200, two_factor="on")


def _optional_by_default(world: World, ada: Somebody, organisation_id: str) -> None:
    world.console.print("[bold]7 Optional by default; support makes it mandatory[/bold]")
    policy = {"organisation_id": organisation_id, "mandatory": True, "reason": "Shown."}
    path = f"/api/organisations/{organisation_id}/policy"
    with world.step("it is optional by default"):
        world.staff.get(path, ada.session).expect(200, mandatory=False)
        world.log.expect_none(f"{organisation_id}/organisation", "two_factor_policy_changed")
    with world.step("administrators can't change it"):
        sent = world.staff.post(
            "/api/commands", {"type": "set_two_factor_policy", "data": policy}, ada.session
        )
        sent.expect(403, "not-permitted")
        world.log.expect_none(f"{organisation_id}/organisation", "two_factor_policy_changed")
    with world.step("support can"):
        outcome = accepted(world.command(world.support, "set_two_factor_policy", policy))
        record = world.log.expect(
            f"{organisation_id}/organisation", "two_factor_policy_changed", mandatory=True
        )
        check("it says who", holds=record["actor"] == f"staff/{world.support.staff_id}")
        position = outcome["position"]
        world.staff.get(f"{path}?at_least={position}", ada.session).expect(200, mandatory=True)
