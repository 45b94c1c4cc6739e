"""Guessers, the curious, and administrators who overreach: the rest of the decisions."""

from uuid import uuid4

from services.demo.behaviours import NO_THANKS, SETUP_NEW
from services.demo.flows import AHEAD, World, accepted, check, new_password, rejected
from services.demo.people import Somebody

IN_A_ROW = 100
PAUSED = 429
REFUSED = 401


def show(world: World) -> None:
    """Show them one by one."""
    organisation_id = world.organisation("Attacked Estates")
    ada = world.join(organisation_id, "administrator", SETUP_NEW)
    world.logged_in(ada)
    _guessing(world, organisation_id)
    _a_hundred(world, ada, organisation_id)
    _who_exists(world, organisation_id)
    _overreach(world, ada, organisation_id)
    _commands(world, organisation_id)


def _guessing(world: World, organisation_id: str) -> None:
    world.console.print("[bold]Guessing[/bold]")
    sam = world.join(organisation_id)
    known = world.logged_in(sam).body["device"]
    with world.step("wrong passwords slow down, then pause; a paused try isn't even recorded"):
        statuses = [world.login(sam, password=new_password()).status for _ in range(8)]
        check(f"paused in the end: {statuses}", holds=statuses[-1] == PAUSED)
        paused = world.login(sam, password=new_password()).expect(PAUSED, "too-many-attempts")
        check("it says for how long", holds=int(paused.headers["Retry-After"]) >= 1)
        world.log.expect(sam.guesses, "login_attempted", outcome="wrong_password")
        recorded = len(list(world.log.new(sam.guesses, "login_attempted")))
        check("only looked-at tries are recorded", holds=recorded == statuses.count(REFUSED))
    with world.step("a known device keeps a lane of its own"):
        world.login(sam, device=known).expect(200, outcome="logged_in")
        world.log.expect(sam.codes, "login_attempted", outcome="succeeded")
    eve = world.join(organisation_id, choice=SETUP_NEW)
    with world.step("without the password, nobody moves a colleague's codes"):
        world.login(eve, password=new_password(), code="000000").expect(401)
        world.log.expect(eve.guesses, "login_attempted", outcome="wrong_password")
        world.log.expect_none(eve.codes, "login_attempted")


def _a_hundred(world: World, ada: Somebody, organisation_id: str) -> None:
    sam = world.join(organisation_id)
    known = world.logged_in(sam).body["device"]
    with world.step("after 100 wrong passwords, only known devices and the reset link work"):
        for _ in range(IN_A_ROW):
            world.login(sam, password=new_password(), web=world.ahead).expect(401)
        world.login(sam, web=world.ahead).expect(401, "invalid-credentials")
        world.log.expect(sam.codes, "login_attempted", outcome="password_disabled")
        world.login(sam, device=known).expect(200, outcome="logged_in")
        change = world.open(world.ask_for_link(sam)).expect(200).body["change"]
        world.finish(sam, change, NO_THANKS).expect(200)
    eve = world.join(organisation_id, choice=SETUP_NEW)
    with world.step("after 100 wrong codes the authenticator is suspended, never switched off"):
        for _ in range(IN_A_ROW):
            world.login(eve, code=eve.app.wrong(), web=world.ahead).expect(401)
        known_good = eve.app.code(AHEAD)
        world.login(eve, code=known_good, web=world.ahead).expect(401, "invalid-credentials")
        world.log.expect(eve.codes, "login_attempted", outcome="authenticator_suspended")
        world.log.expect_none(eve.account, "two_factor_disabled")
    with world.step("until an administrator disables it"):
        accepted(world.command(ada, "disable_two_factor", world.about(eve)))
        world.log.expect(eve.account, "two_factor_disabled", cause="administrator")
        world.login(eve, web=world.ahead).expect(200, outcome="logged_in", two_factor="off")


def _who_exists(world: World, organisation_id: str) -> None:
    world.console.print("[bold]Nobody learns who exists[/bold]")
    sam, eve = world.join(organisation_id), world.join(organisation_id, choice=SETUP_NEW)
    nobody = Somebody("", "", f"nobody.{uuid4()}", "")
    with world.step("unknown, known, and known with 2FA are refused in the same words"):
        answers = [
            world.login(one, password=new_password()).expect(401) for one in (nobody, sam, eve)
        ]
        bodies = {str(sorted(a.body.items())) for a in answers}
        check(f"one body: {bodies}", holds=len(bodies) == 1)
        world.log.expect(sam.guesses, "login_attempted", outcome="wrong_password")
    with world.step("and pause alike"):
        rows = [
            [world.login(one, password=new_password()).status for _ in range(6)]
            for one in (nobody, sam, eve)
        ]
        check(f"the same rows: {rows}", holds=rows[0] == rows[1] == rows[2])
        world.log.expect(eve.guesses, "login_attempted", outcome="wrong_password")


def _overreach(world: World, ada: Somebody, organisation_id: str) -> None:
    world.console.print("[bold]Support and administrators[/bold]")
    sam = world.join(organisation_id)
    with world.step("without 2FA, an administrator's session gets nowhere"):
        weak = world.join(organisation_id, "administrator")
        world.logged_in(weak)
        body = {"type": "disable_two_factor", "data": world.about(sam)}
        answer = world.staff.post("/api/commands", body, weak.session)
        answer.expect(403, "two-factor-required")
        world.log.expect_none(sam.account, "two_factor_disabled")
    with world.step("nobody acts on themself"):
        outcome = world.command(ada, "require_password_reset", world.about(ada))
        rejected(outcome, "on-yourself")
        world.log.expect_none(ada.account, "password_reset_required")
    with world.step("another organisation answers as what doesn't exist"):
        elsewhere = world.join(world.organisation("Other Estates"))
        other = world.staff.get(
            f"/api/organisations/{elsewhere.organisation_id}/staff/{elsewhere.staff_id}",
            ada.session,
        ).expect(404)
        nothing = world.staff.get(f"/api/organisations/{uuid4()}/staff/{uuid4()}", ada.session)
        check("the same answer", holds=nothing.expect(404).body == other.body)
        body = {"type": "deactivate_staff", "data": world.about(elsewhere)}
        sent = world.staff.post("/api/commands", body, ada.session).expect(202)
        rejected(world.outcome(ada, sent.body["command_id"]), "unknown-organisation")
        world.log.expect_none(elsewhere.account, "staff_deactivated")
    with world.step("the last administrator of an organisation can't be removed"):
        lonely = world.organisation("Lonely Estates")
        last = world.join(lonely, "administrator", SETUP_NEW)
        outcome = world.operator.send("deactivate_staff", world.about(last))
        rejected(outcome, "last-administrator")
        world.log.expect_none(last.account, "staff_deactivated")


def _commands(world: World, organisation_id: str) -> None:
    world.console.print("[bold]Commands[/bold]")
    sam = world.join(organisation_id)
    command_id = str(uuid4())
    value = world.operator.write("deactivate_staff", world.about(sam), command_id)
    with world.step("the same command again has the same outcome, and no second effect"):
        first = accepted(world.operator.publish(value, command_id, organisation_id))
        again = accepted(world.operator.publish(value, command_id, organisation_id))
        check("the same position", holds=first["position"] == again["position"])
        world.log.expect(sam.account, "staff_deactivated")
        effects = list(world.log.new(sam.account, "staff_deactivated"))
        check("one effect", holds=len(effects) == 1)
    with world.step("the same id with other bytes is rejected"):
        other = world.operator.write("reactivate_staff", world.about(sam), command_id)
        outcome = world.operator.publish(other, command_id, organisation_id)
        rejected(outcome, "different-command-same-id")
        world.log.expect_none(sam.account, "staff_reactivated")
