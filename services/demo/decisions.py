"""The decisions taken where the help article is silent: factors, links, passwords, joining."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from services.demo.behaviours import NO_THANKS, SETUP_NEW
from services.demo.flows import AHEAD, World, accepted, check, new_password
from services.demo.people import Somebody
from services.demo.world import wait_until

LOOKED_AT_S = 1.5
"""A wish for a link is answered first, and looked at within half a second."""


def show(world: World) -> None:
    """Show them one by one."""
    organisation_id = world.organisation("Decision Estates")
    _mandatory(world)
    _by_link_while_enrolled(world, world.join(organisation_id, choice=SETUP_NEW))
    _setup_is_done_when_confirmed(world, world.join(organisation_id, choice=SETUP_NEW))
    _a_code_works_once(world, world.join(organisation_id, choice=SETUP_NEW))
    _a_change_ends_sessions(world, world.join(organisation_id))
    _links(world, organisation_id)
    _new_passwords(world, world.join(organisation_id))
    _joining(world, organisation_id)


def _mandatory(world: World) -> None:
    world.console.print("[bold]Mandatory, and not enrolled[/bold]")
    organisation_id = world.organisation("Mandatory Estates")
    sam = world.join(organisation_id)
    world.logged_in(sam)
    policy = {"organisation_id": organisation_id, "mandatory": True, "reason": "Shown."}
    with world.step("with a start date ahead it is optional, and people are told the date"):
        later = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")
        accepted(world.command(world.support, "set_two_factor_policy", policy | {"from": later}))
        answer = world.logged_in(sam)
        world.log.expect(sam.codes, "login_attempted", outcome="succeeded")
        told = answer.body["two_factor_mandatory_from"]
        check(
            "the date is told",
            holds=datetime.fromisoformat(told) == datetime.fromisoformat(later),
        )
    with world.step(
        "after that date, a right password without 2FA only causes a link to be mailed"
    ):
        world.login(sam, web=world.ahead).expect(
            200, outcome="link_sent", reason="two_factor_mandatory"
        )
        world.log.expect(sam.codes, "login_attempted", outcome="two_factor_mandatory")
        world.log.expect(sam.links, "password_link_issued", cause="mandatory")
        world.link(sam)
    with world.step("when it takes effect, sessions made without 2FA end"):
        accepted(world.command(world.support, "set_two_factor_policy", policy))
        world.log.expect(f"{organisation_id}/organisation", "two_factor_policy_changed")
        world.auth.get("/api/session", sam.session).expect(401)
    with world.step("No Thanks is not offered by the link, and can't be forced"):
        world.login(sam).expect(200, outcome="link_sent", reason="two_factor_mandatory")
        change = world.open(world.link(sam)).expect(200, options=[SETUP_NEW])
        world.finish(sam, change.body["change"], NO_THANKS).expect(409, "choice-unavailable")
        world.log.expect_none(sam.account, "password_set")
        world.finish(sam, change.body["change"], SETUP_NEW).expect(200, two_factor="on")
        world.log.expect(sam.account, "two_factor_enrolled")
        world.logged_in(sam)


def _by_link_while_enrolled(world: World, eve: Somebody) -> None:
    world.console.print("[bold]Enrolled, and coming by an e-mailed link[/bold]")
    ticket = world.ask_for_link(eve)
    with world.step("a current code is asked for before any choice is shown"):
        answer = world.open(ticket).expect(403, "code-required")
        check("no options are told", holds="options" not in answer.body)
        world.log.expect_none(eve.account, "password_set")
    with world.step("five wrong codes kill the link"):
        for _ in range(5):
            world.open(ticket, eve.app.wrong()).expect(401, "wrong-code")
        world.log.expect(eve.codes, "code_checked", purpose="link", outcome="wrong_code")
        world.log.expect(eve.links, "password_link_killed")
        good = eve.app.lasting_code()
        world.open(ticket, good).expect(410, "ticket-dead")
    with world.step("they are counted apart from the login's codes"):
        world.login(eve, code=good).expect(200, outcome="logged_in")
        world.log.expect(eve.codes, "login_attempted", outcome="succeeded")


def _setup_is_done_when_confirmed(world: World, eve: Somebody) -> None:
    world.console.print("[bold]Setup New is not done before its first code[/bold]")
    with world.step("with a wrong first code, the old password and authenticator stay in force"):
        opened = world.open(world.ask_for_link(eve), eve.app.code()).expect(200)
        shown = world.auth.post(
            "/api/password-changes/authenticator", {"change": opened.body["change"]}
        ).expect(200)
        check("there is a link", holds=shown.body["otpauth_uri"].startswith("otpauth://totp/"))
        check("there is a QR code", holds="<svg" in shown.body["qr_svg"])
        body = {
            "change": opened.body["change"],
            "password": new_password(),
            "choice": SETUP_NEW,
            "authenticator": shown.body["authenticator"],
            "code": eve.app.wrong(),
        }
        world.auth.post("/api/password-changes/finish", body).expect(422, "wrong-code")
        world.log.expect_none(eve.account, "password_set")
        world.logged_in(eve, ahead=True).expect(200, two_factor="on")
        world.log.expect(eve.codes, "login_attempted", outcome="succeeded")


def _a_code_works_once(world: World, eve: Somebody) -> None:
    world.console.print("[bold]A code works once[/bold]")
    code = eve.app.lasting_code()
    with world.step("sent twenty times at once, it logs in once"):
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: world.login(eve, code=code).status, range(20)))
        check(f"one success of {answers}", holds=answers.count(200) == 1)
        world.log.expect(eve.codes, "login_attempted", outcome="succeeded")
        world.log.expect(eve.codes, "login_attempted", outcome="code_already_used")
        counted = list(world.log.new(eve.codes, "login_attempted"))
        check("each is recorded or refused unlooked at", holds=len(counted) >= 2)


def _a_change_ends_sessions(world: World, sam: Somebody) -> None:
    world.console.print("[bold]A change of a factor ends sessions[/bold]")
    with world.step("a new password ends the session, and opens none"):
        world.logged_in(sam)
        world.auth.get("/api/session", sam.session).expect(200)
        change = world.open(world.ask_for_link(sam)).body["change"]
        answer = world.finish(sam, change, SETUP_NEW).expect(200, outcome="password_set")
        check("no session is opened", holds="session" not in answer.body)
        world.log.expect(sam.account, "password_set", choice=SETUP_NEW)
        world.auth.get("/api/session", sam.session).expect(401)
    with world.step("logging out ends it as well"):
        world.logged_in(sam)
        world.auth.get("/api/session", sam.session).expect(200)
        world.auth.post("/api/logout", {}, sam.session).expect(204)
        world.auth.get("/api/session", sam.session).expect(401)
        world.log.expect("", "logged_out", staff_id=sam.staff_id)


def _links(world: World, organisation_id: str) -> None:
    world.console.print("[bold]Password resets[/bold]")
    sam = world.join(organisation_id)
    with world.step("only the newest link works, once; while it is good, no third is sent"):
        first, second = (world.ask_for_link(sam) for _ in range(2))
        world.auth.post("/api/password-resets", {"username": sam.username}).expect(202)
        world.log.expect_none(sam.links, "password_link_killed", for_s=LOOKED_AT_S)
        issued = list(world.log.new(sam.links, "password_link_issued"))
        check("two were issued", holds=len(issued) == 2)
        world.open(first).expect(410, "ticket-dead")
        change = world.open(second).expect(200).body["change"]
        world.finish(sam, change, NO_THANKS).expect(200)
        world.log.expect(sam.account, "password_set")
        world.open(second).expect(410, "ticket-dead")
    with world.step("asking for somebody who doesn't exist is answered alike"):
        world.auth.post("/api/password-resets", {"username": "nobody.here"}).expect(202)
        world.log.expect_none("", "password_link_issued", for_s=LOOKED_AT_S)
    with world.step("required by an administrator: the old password gets nobody anywhere"):
        ada = world.join(organisation_id, "administrator", SETUP_NEW)
        world.logged_in(ada)
        eve = world.join(organisation_id)
        world.logged_in(eve)
        accepted(world.command(ada, "require_password_reset", world.about(eve)))
        world.log.expect(eve.account, "password_reset_required")
        world.log.expect(eve.links, "password_link_issued", cause="required")
        world.auth.get("/api/session", eve.session).expect(401)
        world.link(eve)
        world.login(eve).expect(200, outcome="link_sent", reason="reset_required")
        change = world.open(world.link(eve)).expect(200).body["change"]
        world.finish(eve, change, NO_THANKS).expect(200)
        world.logged_in(eve)


def _new_passwords(world: World, sam: Somebody) -> None:
    world.console.print("[bold]New passwords[/bold]")
    opened = world.open(world.ask_for_link(sam)).expect(200)
    change, current = opened.body["change"], sam.password
    for claim, password in (
        ("14 characters are too short", "Kj3-mqpo-zxw91"),
        ("a known-bad one is refused", "passwordpassword1"),
        ("the current one is refused", current),
        ("the username is refused", f"{sam.username} {sam.username}"),
    ):
        with world.step(f"{claim}"):
            answer = world.finish(sam, change, NO_THANKS, password).expect(422, "password-refused")
            check("the answer doesn't repeat it", holds=password not in str(answer.body))
            world.log.expect_none(sam.account, "password_set")
    sam.password = current
    with world.step("the old one is in force until a good one is given"):
        world.logged_in(sam)
        world.finish(sam, change, NO_THANKS).expect(200)
        world.log.expect(sam.account, "password_set")
        world.login(sam, password=current).expect(401, "invalid-credentials")
        world.log.expect(sam.guesses, "login_attempted", outcome="wrong_password")


def _joining(world: World, organisation_id: str) -> None:
    world.console.print("[bold]Joining, leaving, coming back[/bold]")
    eve = world.join(organisation_id, choice=SETUP_NEW)
    with world.step("a username is held by one person"):
        taken = world.invite(organisation_id)
        data = {
            "organisation_id": organisation_id,
            "staff_id": taken.staff_id,
            "username": eve.username.upper(),
        }
        outcome = world.operator.send("change_staff_details", data)
        check(f"rejected as taken: {outcome}", holds=outcome.get("reason") == "username-taken")
    with world.step("deactivated, the right password and code open nothing"):
        world.logged_in(eve)
        accepted(world.operator.send("deactivate_staff", world.about(eve)))
        world.auth.get("/api/session", eve.session).expect(401)
        code = eve.app.code(AHEAD)
        world.login(eve, code=code, web=world.ahead).expect(401, "invalid-credentials")
        world.log.expect(eve.codes, "login_attempted", outcome="deactivated")
    with world.step("reactivated, neither password nor authenticator is back"):
        eve = world.join(organisation_id, choice=SETUP_NEW)
        accepted(world.operator.send("deactivate_staff", world.about(eve)))
        accepted(world.operator.send("reactivate_staff", world.about(eve)))
        world.login(eve, code=eve.app.wrong()).expect(401, "invalid-credentials")
        world.log.expect(eve.guesses, "login_attempted", outcome="wrong_password")
        change = world.open(world.ask_for_link(eve)).expect(200, options=[NO_THANKS, SETUP_NEW])
        world.finish(eve, change.body["change"], SETUP_NEW).expect(200)
        world.logged_in(eve)
        world.login(eve).expect(401, "invalid-credentials")
    with world.step("forgotten, their data key is destroyed and the history stays"):
        theirs = {r["_key"] for r in world.vault.records if r.get("owner") == eve.staff_id}
        check("a password, a seed and a data key of theirs", holds=len(theirs) >= 3)
        accepted(world.operator.send("forget_staff", world.about(eve)))
        world.log.expect(eve.account, "staff_forgotten")

        def tombstones() -> bool | None:
            world.vault.poll()
            gone = {r["_key"] for r in world.vault.records if "sealed" not in r}
            return theirs <= gone or None

        wait_until("tombstones in the vault", tombstones)
