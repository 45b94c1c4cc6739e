"""Secrets that are known by their looks, and every place where they might have been left."""

import asyncio
import json
from base64 import b32decode, b64encode, urlsafe_b64decode
from collections.abc import Iterator, Mapping
from urllib.parse import quote
from uuid import uuid4

import asyncpg

from events import topics
from services.demo.people import Authenticator, Somebody
from services.projections import schema
from tests.attacks.system import SETUP_NEW, Attacked
from tests.sweep.spelling import encoded

PASSWORD = "Zeisig-flötet/im+Kanarien&Käfig=99"
TYPED_AS_USERNAME = "Grünfink-im-Nachbargarten-17-ruft"
WRONG_PASSWORD = "Stieglitz-am-Distelkopf-3-zupft"
NAME = "Wilhelmine Rotkehlchen-Canary"
PHC = b"$argon2"


class Places:
    """Everything that is kept, with what it is called."""

    def __init__(self, world: Attacked) -> None:
        self.world = world

    def topics(self) -> Iterator[tuple[str, bytes]]:
        for topic in topics.ALL:
            for record in self.world.records(topic.name):
                parts = [record.key, record.value or b""]
                for name, value in record.headers:
                    parts += [name.encode(errors="replace"), value or b""]
                yield f"topic {topic.name}", b"\n".join(parts)

    def tables(self) -> Iterator[tuple[str, bytes]]:
        yield from asyncio.run(_all_rows(self.world.database))

    def logs(self) -> Iterator[tuple[str, bytes]]:
        for process in self.world.processes:
            yield f"log of {process}", self.world.log_of(process).encode()

    def metrics(self) -> Iterator[tuple[str, bytes]]:
        for web in (*self.world.inside.values(), self.world.projections):
            yield f"metrics of {web.url}", web.send("GET", "/metrics").content

    def mails(self) -> Iterator[tuple[str, bytes]]:
        for path, content in self.world.mailbox.contents():
            yield f"mail {path.name}", content

    def answers(self) -> Iterator[tuple[str, bytes]]:
        for number, answer in enumerate(list(self.world.answers)):
            asked, _, told = answer.partition(b"\n")
            yield f"answer {number} of {asked.decode()}", told


async def _all_rows(database: str) -> list[tuple[str, bytes]]:
    connection = await asyncpg.connect(database)
    try:
        tables = await connection.fetch(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        assert any(table["schemaname"] == schema.name() for table in tables)
        found = []
        for name, table in tables:
            where = f'"{name}"."{table}"'
            rows = await connection.fetch(f"SELECT * FROM {where}")  # noqa: S608 -- The catalogue's.
            found += [(f"table {where}", b"\n".join(map(_bytes, row.values()))) for row in rows]
        return found
    finally:
        await connection.close()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


class Canaries:
    """Secrets whose every byte is known, used in every way that there is."""

    def __init__(self, world: Attacked) -> None:
        self.world = world
        self.organisation = world.organisation("Canary Estates")
        self.everywhere: dict[str, bytes] = {}
        self.answered: dict[str, bytes] = {}
        self.codes: list[str] = []
        self.tickets: dict[str, str] = {}

    def use(self) -> None:
        """Join, log in, fail, reset, and hand secrets in where they don't belong."""
        world = self.world
        eve = self._somebody()
        change = world.open(self._link(eve, "invitation")).expect(200).body["change"]
        self._finish(eve, change)
        code = eve.app.code()
        answer = world.login(eve, code=code).expect(200).body
        eve.session = answer["session"]
        self.codes.append(code)
        self.answered |= {
            "session": answer["session"].encode(),
            "device": answer["device"].encode(),
        }
        self.everywhere["session, its bytes"] = urlsafe_b64decode(answer["session"] + "=")
        reset = world.ask_for_link(eve)
        self.tickets[eve.email] = reset
        self.everywhere["link, its bytes"] = urlsafe_b64decode(reset + "=")
        self.everywhere |= {
            "password": PASSWORD.encode(),
            "wrong password": WRONG_PASSWORD.encode(),
            "password typed as a username": TYPED_AS_USERNAME.encode(),
            "hash": PHC,
        }
        self._fail(eve, reset)
        self._force_errors(eve)

    def _somebody(self) -> Somebody:
        world, staff_id = self.world, str(uuid4())
        eve = Somebody(self.organisation, staff_id, "canary.rotkehlchen", "canary@nest.example")
        data = {
            "organisation_id": eve.organisation_id, "staff_id": staff_id,
            "username": eve.username, "email": eve.email, "display_name": NAME, "role": "staff",
        }  # fmt: skip
        assert world.operator.send("register_staff", data)["outcome"] == "accepted"
        return eve

    def _link(self, eve: Somebody, kind: str) -> str:
        ticket = self.world.link(eve)
        self.everywhere[f"{kind}, its bytes"] = urlsafe_b64decode(ticket + "=")
        return ticket

    def _finish(self, eve: Somebody, change: str) -> None:
        shown = self.world.auth.post("/api/password-changes/authenticator", {"change": change})
        secret = shown.expect(200).body["secret"].replace(" ", "")
        self.everywhere["seed"] = b32decode(secret)
        eve.take(Authenticator(secret))
        first = eve.app.code()
        self.codes.append(first)
        body = {
            "change": change, "password": PASSWORD, "choice": SETUP_NEW, "code": first,
            "authenticator": shown.body["authenticator"],
        }  # fmt: skip
        self.world.auth.post("/api/password-changes/finish", body).expect(200)
        eve.password = PASSWORD

    def _fail(self, eve: Somebody, reset: str) -> None:
        world = self.world
        world.login(eve, password=WRONG_PASSWORD).expect(401)
        wrong = eve.app.wrong()
        self.codes.append(wrong) if wrong not in {"000000", "000001"} else None
        world.login(eve, code=wrong).expect(401)
        for _ in range(3):
            strange = Somebody("", "", TYPED_AS_USERNAME, "", WRONG_PASSWORD)
            world.login(strange)
            world.auth.post("/api/password-resets", {"username": TYPED_AS_USERNAME})
        world.open(reset).expect(403)
        world.open(reset, wrong).expect(401)
        body = {"password": WRONG_PASSWORD, "code": wrong}
        world.auth.post("/api/step-up", body, eve.session)

    def _force_errors(self, eve: Somebody) -> None:
        """Twenty requests that don't fit, each with a secret in the wrong place."""
        web, staff = self.world.auths[0], self.world.staff
        token = {"Authorization": f"Bearer {eve.session}"}
        secrets = (PASSWORD, WRONG_PASSWORD)
        for secret in secrets:
            for call in ("login/start", "login/finish", "password-changes/open",
                         "password-changes/finish", "step-up", "logout"):  # fmt: skip
                path = f"/api/{call}"
                web.send("POST", path, json={"password": [secret], secret: secret}, headers=token)
                web.send("POST", path, content=json.dumps(secret)[:-1].encode(), headers=token)
            staff.send("POST", "/api/commands", json={"type": secret, "data": {}}, headers=token)
            web.send("GET", f"/api/session?password={quote(secret)}", headers=token)
            web.send("GET", f"/{quote(secret, safe='')}", headers={"Accept": "text/html"})
            web.send("GET", "/api/session", headers={"Authorization": "Basic " + b64encode(
                f"eve:{secret}".encode()).decode()})  # fmt: skip
            web.send("POST", "/login", data={"username": secret, "password": secret},
                     headers={"Origin": web.url})  # fmt: skip
            web.send("PUT", "/api/login/start", content=secret.encode())
            headers = {"User-Agent": quote(secret), "X-Nothing": quote(secret)}
            web.send("POST", "/api/login/start", json={"username": "x"}, headers=headers)
            self.world.produce("twofold.commands", secret.encode(), secret, [("keyid", b"\xff")])


def found_in(places: Iterator[tuple[str, bytes]], needles: Mapping[str, bytes]) -> list[str]:
    """Where which needle stands."""
    spelt = [
        (f"{name} ({how})", needle)
        for name, secret in needles.items()
        for how, needle in (encoded(secret) if secret != PHC else {"raw": secret}).items()
        if len(needle) >= 7
    ]
    spelt += [(f"hash ({how})", needle) for how, needle in encoded(b"argon2id$v=").items()]
    return [
        f"{name} in {where}" for where, held in places for name, needle in spelt if needle in held
    ]
