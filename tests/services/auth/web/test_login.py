"""Logging in over HTTP."""

from tests.services.auth.stage import Stage


async def test_smoke(stage: Stage) -> None:
    web = stage.open()
    org = await stage.organisation()
    sam = await stage.person(org)
    eve = await stage.person(org, enrolled=True)
    answer = await web.login(sam)
    answer.expect(200, outcome="logged_in", two_factor="off")
    print(answer.body)
    print((await web.get("/api/session", token=answer.body["session"])).body)
    answer = await web.login(eve, code=stage.code(eve))
    answer.expect(200, outcome="logged_in", two_factor="on")
    answer = await web.login(eve, code=stage.wrong_code(eve))
    answer.expect(401, "invalid-credentials")
    print(answer)
    (await web.login("nobody", "x")).expect(401, "invalid-credentials")
    ticket = await stage.link(sam)
    opened = await web.open(ticket)
    print(opened.body)
    shown = await web.show(opened.body["change"])
    print(shown.body)
    (await web.finish(opened.body["change"], "no_thanks")).expect(200)
