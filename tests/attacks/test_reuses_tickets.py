"""Somebody who has one ticket or session, and tries it where another is asked for."""

import pytest

from services.demo.flows import accepted, new_password
from tests.attacks.system import NO_THANKS, SETUP_NEW, Attacked


@pytest.mark.quick
@pytest.mark.row(33)
def test_each_ticket_is_good_for_its_own_call_alone(world: Attacked, organisation: str) -> None:
    sam = world.join(organisation)
    logged_in = world.logged_in(sam).body
    link = world.ask_for_link(sam)
    change = world.open(link).expect(200).body["change"]
    shown = world.auth.post("/api/password-changes/authenticator", {"change": change}).body
    tickets = {
        "login": world.auth.post("/api/login/start", {"username": sam.username}).body["login"],
        "link": link,
        "change": change,
        "candidate": shown["authenticator"],
        "device": logged_in["device"],
        "session": logged_in["session"],
    }
    finish = {"password": new_password(), "choice": NO_THANKS}
    calls = {
        "login": ("/api/login/finish", "login", {"password": sam.password}),
        "link": ("/api/password-changes/open", "ticket", {}),
        "change": ("/api/password-changes/authenticator", "change", {}),
        "change ": ("/api/password-changes/finish", "change", finish),
    }
    for wanted, (path, member, rest) in calls.items():
        for kind, ticket in tickets.items():
            if kind != wanted.strip():
                answer = world.auth.post(path, {member: ticket, **rest})
                answer.expect(410, "ticket-dead")
    policy = f"/api/organisations/{organisation}/policy"
    proof = {"password": sam.password, "code": "123456"}
    for kind, ticket in tickets.items():
        is_session = kind == "session"
        world.auth.get("/api/session", ticket).expect(200 if is_session else 401)
        # 403: whose it is is known, and isn't enough.
        world.staff.get(policy, ticket).expect(403 if is_session else 401)
        world.auth.post("/api/step-up", proof, ticket).expect(403 if is_session else 401)
    # Each is good for its own.
    right = {
        "login": {"login": tickets["login"], "password": sam.password},
        "link": {"ticket": link},
    }
    for kind, body in right.items():
        world.auth.post(calls[kind][0], body).expect(200)
    world.auth.post("/api/password-changes/finish", {"change": change, **finish}).expect(200)


@pytest.mark.row(33)
def test_a_change_of_credentials_kills_what_was_half_done(
    world: Attacked, organisation: str
) -> None:
    sam = world.join(organisation)
    first = world.open(world.ask_for_link(sam)).expect(200).body["change"]
    shown = world.auth.post("/api/password-changes/authenticator", {"change": first}).body
    accepted(world.operator.send("require_password_reset", world.about(sam)))
    world.auth.post("/api/password-changes/authenticator", {"change": first}).expect(410)
    second = world.open(world.link(sam)).expect(200).body["change"]
    body = {
        "change": second, "password": new_password(), "choice": SETUP_NEW,
        "authenticator": shown["authenticator"], "code": "123456",
    }  # fmt: skip
    world.auth.post("/api/password-changes/finish", body).expect(410, "ticket-dead")


@pytest.mark.row(35)
def test_an_idle_session_is_over_after_half_an_hour(world: Attacked, organisation: str) -> None:
    sam = world.join(organisation)
    session = world.logged_in(sam).body["session"]
    world.auth.get("/api/session", session).expect(200)
    world.later.get("/api/session", session).expect(401)
    world.later.post("/api/logout", {}, session).expect(401)
    world.auth.get("/api/session", session).expect(200)


@pytest.mark.row(36)
def test_whoever_is_deactivated_is_out_everywhere_at_once(
    world: Attacked, organisation: str
) -> None:
    ada, eve = world.administrator(organisation), world.administrator(organisation)
    half = world.auth.post("/api/login/start", {"username": eve.username}).body["login"]
    link = world.ask_for_link(eve)
    accepted(world.command(ada, "deactivate_staff", world.about(eve)))
    for web in world.auths:
        web.get("/api/session", eve.session).expect(401)
    world.staff.get(f"/api/organisations/{organisation}/staff", eve.session).expect(401)
    body = {"type": "deactivate_staff", "data": world.about(ada)}
    world.staff.post("/api/commands", body, eve.session).expect(401)
    good = eve.app.lasting_code()
    finish = {"login": half, "password": eve.password, "code": good}
    world.log.mark()
    world.auths[1].post("/api/login/finish", finish).expect(401, "invalid-credentials")
    world.log.expect(eve.codes, "login_attempted", outcome="deactivated")
    world.open(link, good, web=world.auths[2]).expect(410, "ticket-dead")
    world.auth.post("/api/password-resets", {"username": eve.username}).expect(202)
    world.log.expect_none(eve.links, "password_link_issued", for_s=1.5)
    # Coming back restores neither password nor authenticator nor session.
    accepted(world.command(ada, "reactivate_staff", world.about(eve)))
    world.auth.get("/api/session", eve.session).expect(401)
    world.login(eve).expect(401, "invalid-credentials")
    world.login(eve, code=good).expect(401, "invalid-credentials")
    assert world.open(world.ask_for_link(eve)).expect(200).body["options"] == [
        NO_THANKS, SETUP_NEW,
    ]  # fmt: skip
