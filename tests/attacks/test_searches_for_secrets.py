"""Somebody who reads everything that is kept: topics, tables, logs, mails, answers, metrics."""

import json
import re
from base64 import b32encode, b64encode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import quote_plus

import argon2
import pytest

from events.vault.sealing import SealedEntry, UnsealingError, unseal
from tests.attacks.canaries import (
    NAME,
    PASSWORD,
    PHC,
    TYPED_AS_USERNAME,
    Canaries,
    Places,
    found_in,
)
from tests.attacks.system import Attacked, until


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
