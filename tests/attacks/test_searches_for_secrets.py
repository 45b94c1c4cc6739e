"""Somebody who reads everything that is kept: topics, tables, logs, mails, answers, metrics."""

import asyncio
import json
import re
from base64 import b32decode, b32encode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from urllib.parse import quote, quote_plus
from uuid import uuid4

import argon2
import asyncpg
import pytest

from events import topics
from events.vault.sealing import SealedEntry, UnsealingError, unseal
from services.demo.people import Authenticator, Somebody
from services.projections import schema
from tests.attacks.system import SETUP_NEW, Attacked, until
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


@pytest.fixture(scope="module")
def canaries(world: Attacked) -> Canaries:
    """Give secrets that have been used, and everything that was done before."""
    made = Canaries(world)
    made.use()
    until(lambda: world.mailbox.links("canary@nest.example"))
    return made


class TestTheCanaryScan:
    @pytest.mark.quick
    @pytest.mark.row(40, 41)
    @pytest.mark.parametrize("kept", ["topics", "tables", "logs", "metrics", "mails"])
    def test_no_secret_is_kept_in_any_encoding(
        self, world: Attacked, canaries: Canaries, kept: str
    ) -> None:
        needles = canaries.everywhere | canaries.answered
        if kept == "mails":  # A link's ticket is what its mail is for.
            needles = {k: v for k, v in needles.items() if not k.startswith(("link", "invitation"))}
        places = list(getattr(Places(world), kept)())
        assert places
        if kept == "topics":  # Somebody else wrote these bytes, as they are, to the commands.
            places = [one for one in places if one[0] != "topic twofold.commands"]
        assert found_in(iter(places), needles) == []

    @pytest.mark.row(40)
    def test_no_code_is_kept(self, world: Attacked, canaries: Canaries) -> None:
        places = Places(world)
        spelt = "|".join(canaries.codes)
        pattern = re.compile(rf"(?<![0-9A-Za-z.])(?:{spelt})(?![0-9A-Za-z])".encode())
        kept = (*places.topics(), *places.tables(), *places.logs(), *places.mails())
        assert [where for where, held in kept if pattern.search(held)] == []

    @pytest.mark.row(40)
    def test_a_link_stands_in_its_own_mail_alone(self, world: Attacked, canaries: Canaries) -> None:
        for address, ticket in canaries.tickets.items():
            held = [
                text for where, text in Places(world).mails() if ticket.encode() in _plain(text)
            ]
            assert held
            assert all(f"To: {address}".encode() in text for text in held)

    @pytest.mark.row(40, 41)
    def test_no_answer_holds_a_password_or_a_hash(
        self, world: Attacked, canaries: Canaries
    ) -> None:
        needles = {k: v for k, v in canaries.everywhere.items() if "password" in k or k == "hash"}
        assert found_in(Places(world).answers(), needles) == []

    @pytest.mark.row(27, 40)
    def test_a_seed_and_a_session_are_answered_once(
        self, world: Attacked, canaries: Canaries
    ) -> None:
        answers = list(Places(world).answers())
        seed = b32encode(canaries.everywhere["seed"])
        where = [at for at, held in answers if seed in held.replace(b" ", b"")]
        assert len(where) == 1
        assert where[0].endswith("/api/password-changes/authenticator")
        session = [at for at, held in answers if canaries.answered["session"] in held]
        assert [at.endswith("/api/login/finish") for at in session] == [True]

    @pytest.mark.row(40, 42)
    def test_nothing_personal_stands_in_clear(self, world: Attacked, canaries: Canaries) -> None:
        personal = {
            "username": b"canary.rotkehlchen", "e-mail": b"canary@nest.example",
            "name": NAME.encode(), "typed": TYPED_AS_USERNAME.encode(),
        }  # fmt: skip
        places = Places(world)
        kept = [one for one in places.topics() if one[0] != "topic twofold.commands"]
        kept += [*places.tables(), *places.logs(), *places.metrics()]
        assert found_in(iter(kept), personal) == []

    @pytest.mark.row(42)
    def test_an_unknown_username_is_kept_as_a_keyed_digest(
        self, world: Attacked, canaries: Canaries
    ) -> None:
        """What was typed can't be looked up by its plain SHA-256 either."""
        typed = TYPED_AS_USERNAME.casefold().encode()
        plain = {
            "digest": sha256(typed).digest(),
            "as typed": sha256(TYPED_AS_USERNAME.encode()).digest(),
        }
        places = Places(world)
        assert found_in(iter([*places.topics(), *places.tables(), *places.logs()]), plain) == []
        subjects = [r.members.get("subject", "") for r in world.records("twofold.strangers")]
        assert any(re.fullmatch("stranger/[0-9a-f]{64}", subject) for subject in subjects)

    @pytest.mark.row(7)
    def test_a_dump_of_database_and_topics_verifies_no_password(
        self, world: Attacked, canaries: Canaries
    ) -> None:
        """Entries are sealed; and with their keys stolen too, what is in them is peppered."""
        assert found_in(Places(world).topics(), {"hash": PHC}) == []
        rows = world.fetch("SELECT staff_id FROM staff_account WHERE organisation_id = $1",
                           canaries.organisation)  # fmt: skip
        hashes = []
        for record in world.records("twofold.vault"):
            try:
                entry = SealedEntry.from_bytes(record.value or b"")
            except UnsealingError:
                continue
            if entry.kind == "password" and entry.owner == rows[0]["staff_id"]:
                ring, owner = world.ring.encryption, entry.owner
                hashes.append(
                    unseal(entry, entry_id=entry.id, kind="password", owner=owner, key=ring)
                )
        assert hashes
        for stored in hashes:
            found = argon2.extract_parameters(stored.decode())
            assert found.type is argon2.Type.ID
            assert (found.memory_cost, found.time_cost) >= (19 * 1024, 2)
            with pytest.raises(argon2.exceptions.VerifyMismatchError):
                argon2.PasswordHasher().verify(stored, PASSWORD)


def _plain(mail: bytes) -> bytes:
    """A mail's text without the line breaks of quoted-printable."""
    return mail.replace(b"=\r\n", b"").replace(b"=\n", b"")


def test_the_scan_itself_finds_what_is_there() -> None:
    """Each way of writing a secret is found wherever it stands."""
    secret = PASSWORD.encode()
    texts = [
        b"x" * 7 + secret, b64encode(b"ab" + secret + b"c"), b32encode(b"abc" + secret),
        urlsafe_b64encode(b"a" + secret), secret.hex().encode(), quote_plus(PASSWORD).encode(),
        json.dumps({"p": PASSWORD}).encode(),
    ]  # fmt: skip
    for number, text in enumerate(texts):
        assert found_in(iter([("here", text)]), {"password": secret}), number
