"""Somebody with a way to Kafka, and perhaps one service's password: what they get."""

import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from socket import create_server
from urllib.parse import urlsplit

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # It has them, untold to mypy.
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from events import access, keys, topics
from events.keys import RotatingKey
from events.log.reach import RefusedError, knock
from infra.local.kafka_security import Authority
from tests.attacks.earnest import Done, Earnest
from tests.attacks.probing import GROUPS, Prober
from tests.browser.people import Staffing

ANYWHERE = ("--port", "0", "--metrics-port", "0")


class TestTheWholeSystem:
    @pytest.mark.quick
    @pytest.mark.row(43)
    async def test_runs_over_sasl_ssl_each_service_as_its_own_user(
        self, staffing: Staffing
    ) -> None:
        agency = await staffing.register_agency()
        someone = await agency.person(enrolled=True)
        session = await staffing.log_in(someone)
        assert (await staffing.who(session))["two_factor"] == "on"

    def test_is_well_in_the_operators_eyes(self, earnest: Earnest) -> None:
        told = earnest.told("operator")
        said = earnest.run("doctor", told=told)
        wrong = [line for line in said.out.splitlines() if line.startswith("NOT")]
        assert not [line for line in wrong if "mail" not in line], said
        assert earnest.must("audit", "replay", "--json", told=earnest.told("auditor"))

    @pytest.mark.row(51)
    def test_an_auditor_signs_and_verifies_with_an_auditors_rights(self, earnest: Earnest) -> None:
        told = earnest.told("auditor")
        key = earnest.must("audit", "key", "--new", told=told).strip()
        assert "records, root" in earnest.must("audit", "checkpoint", told=told)
        assert "checkpoints agree" in earnest.must("audit", "verify", "--key", key, told=told)
        compared = earnest.must("audit", "prove", told=told | earnest.told("projections"))
        assert "differ" not in compared


class TestTheMatrix:
    @pytest.mark.row(43, 50)
    @pytest.mark.quick
    @pytest.mark.parametrize("name", sorted(access.BY_NAME))
    def test_a_stolen_password_does_what_the_table_says_and_nothing_else(
        self, earnest: Earnest, name: str
    ) -> None:
        """Every principal tries every operation on every topic, group, and on the cluster."""
        principal = access.BY_NAME[name]
        allowed = {
            (grant.operation, grant.name)
            for grant in access.grants((principal,))
            if grant.name != access.BULK_GROUP
        }
        assert Prober(earnest.connection(name)).everything() == allowed

    def test_the_probe_sees_what_is_allowed(self, earnest: Earnest) -> None:
        """Lest everything be refused for another reason: an administrator may all of it."""
        prober = Prober(earnest.connection("admin"))
        did = set(prober._groups()) - {("Delete", one) for one in GROUPS}
        assert did == {(what, group) for what in ("Describe", "Read") for group in GROUPS}
        assert prober.sees_rules()

    def test_a_right_that_is_not_in_the_table_is_found_and_taken_away(
        self, earnest: Earnest
    ) -> None:
        stray = AclBinding(
            ResourceType.TOPIC, topics.EVENTS.name, ResourcePatternType.LITERAL,
            "User:twofold-notify", "*", AclOperation.WRITE, AclPermissionType.ALLOW,
        )  # fmt: skip
        admin = AdminClient(earnest.connection("admin").librdkafka())
        assert earnest.must("topics", "access", "--check")
        admin.create_acls([stray])[stray].result(10)
        told = earnest.told("admin")
        found = earnest.run("topics", "access", "--check", told=told)
        assert found.status == 1
        assert "Not in the table: User:twofold-notify may write topic twofold.events." in found.out
        assert "Took away: User:twofold-notify may write" in earnest.must("topics", "access")
        assert earnest.must("topics", "access", "--check")


class TestGettingIn:
    @pytest.mark.row(43)
    async def test_a_wrong_password_is_refused(self, earnest: Earnest) -> None:
        wrong = replace(earnest.connection("auth"), password="not-that-one")
        with pytest.raises(RefusedError, match="doesn't take the user twofold-auth"):
            await knock(wrong)

    @pytest.mark.row(43)
    async def test_nobody_gets_in_without_tls(self, earnest: Earnest) -> None:
        with pytest.raises(RefusedError, match="speaks TLS alone"):
            await knock(earnest.kafka)

    @pytest.mark.row(43)
    @pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
    def test_nobody_gets_in_by_another_mechanism(self, earnest: Earnest, mechanism: str) -> None:
        settings = earnest.connection("auth").librdkafka()
        assert AdminClient(settings).list_topics(timeout=3).topics
        told: list[KafkaError] = []
        settings |= {"sasl.mechanism": mechanism, "error_cb": told.append}
        refused = AdminClient(settings)
        with pytest.raises(KafkaException):
            refused.list_topics(timeout=3)
        refused.poll(1)
        assert KafkaError._AUTHENTICATION in {error.code() for error in told}, told

    @pytest.mark.row(43)
    async def test_a_certificate_for_another_host_is_refused(self, earnest: Earnest) -> None:
        elsewhere = earnest.kafka.replace("127.0.0.1", "localhost")
        with pytest.raises(RefusedError, match="Hostname mismatch"):
            await knock(replace(earnest.connection("auth"), bootstrap=elsewhere))

    @pytest.mark.row(43)
    async def test_an_impostor_with_an_authority_of_its_own_learns_nothing(
        self, earnest: Earnest, tmp_path: Path
    ) -> None:
        certificate = Authority(tmp_path).issue("broker", "127.0.0.1")
        with impostor(certificate) as (address, heard):
            with pytest.raises(RefusedError, match="isn't trusted"):
                await knock(replace(earnest.connection("auth"), bootstrap=address))
            # librdkafka on its own, as the command line's publisher connects.
            client = replace(earnest.connection("auth"), bootstrap=address).librdkafka()
            with pytest.raises(KafkaException):
                AdminClient(client).list_topics(timeout=2)
        assert not heard
        # Whoever is believed is told something: this one could have listened.
        with impostor(earnest.security.certificate) as (address, heard):
            with pytest.raises(KafkaException):
                AdminClient(client | {"bootstrap.servers": address}).list_topics(timeout=2)
            assert heard


class TestStartingInProduction:
    """Each a real process; it ends with one sentence that says what to do."""

    @pytest.mark.row(39, 43, 60)
    def test_what_is_unsafe_is_refused(self, earnest: Earnest, tmp_path: Path) -> None:
        told = earnest.told("auth")
        readable = tmp_path / "password"
        readable.write_text("secret")
        readable.chmod(0o644)
        plain_database = urlsplit(told["TWOFOLD_DATABASE"])._replace(query="").geturl()
        other_authority = Authority(tmp_path / "other").file
        cases = {
            "reached in plaintext": {"TWOFOLD_KAFKA_SECURITY": "PLAINTEXT"},
            "TWOFOLD_KAFKA_SECURITY": {"TWOFOLD_KAFKA_SECURITY": "SASL_PLAINTEXT"},
            "isn't trusted": {"TWOFOLD_KAFKA_CA": str(other_authority)},
            "Hostname mismatch": {"TWOFOLD_KAFKA": earnest.kafka.replace("127.0.0.1", "localhost")},
            "doesn't take the user": {"TWOFOLD_KAFKA_USERNAME": "twofold-staff"},
            "chmod 600": {"TWOFOLD_KAFKA_PASSWORD_FILE": str(readable)},
            "PostgreSQL would be reached in plaintext": {"TWOFOLD_DATABASE": plain_database},
            "TWOFOLD_CLOCK_AHEAD": {"TWOFOLD_CLOCK_AHEAD": "PT1H"},
            "made by twofold up": {"TWOFOLD_KEYS": str(developers_ring(tmp_path))},
            "isn't random": {"TWOFOLD_KEYS": str(made_up_ring(earnest, tmp_path))},
        }

        def start(case: str) -> Done:
            return earnest.run("auth", *ANYWHERE, told=told | cases[case])

        with ThreadPoolExecutor(2) as pool:
            for case, done in zip(cases, pool.map(start, cases), strict=True):
                sentence = done.err.strip().splitlines()[-1]
                assert done.status == 1, (case, done)
                assert sentence.startswith("twofold: "), (case, done)
                assert case in sentence, (case, sentence)
                assert "Traceback" not in done.err

    @pytest.mark.row(50)
    def test_a_history_that_would_lose_records_is_refused(self, earnest: Earnest) -> None:
        admin = AdminClient(earnest.connection("admin").librdkafka())
        for setting, bad, good in (
            ("retention.ms", "604800000", "-1"),
            ("cleanup.policy", "compact", "delete"),
        ):
            set_(admin, setting, bad)
            try:
                done = earnest.run("auth", *ANYWHERE, told=earnest.told("auth"))
            finally:
                set_(admin, setting, good)
            assert done.status == 1
            assert f"twofold.events has {setting}={bad}" in done.err


def set_(admin: AdminClient, name: str, value: str) -> None:
    change = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, topics.EVENTS.name, incremental_configs=[change]
    )
    admin.incremental_alter_configs([resource])[resource].result(10)


def developers_ring(folder: Path) -> Path:
    path = folder / "developer" / "keys.json"
    keys.save(keys.generate(development=True), path)
    return path


def made_up_ring(earnest: Earnest, folder: Path) -> Path:
    path = folder / "made-up" / "keys.json"
    ring = keys.load(earnest.ring)
    keys.save(replace(ring, encryption=RotatingKey("k1", {"k1": b"k" * 32})), path)
    return path


@contextmanager
def impostor(certificate: Path) -> Iterator[tuple[str, list[bytes]]]:
    """A server that shows *certificate*, and what it was told once somebody believed it."""
    heard: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                plain.settimeout(2)
                try:
                    with context.wrap_socket(plain, server_side=True) as believed:
                        if said := believed.recv(1000):
                            heard.append(said)
                except OSError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", heard
        server.shutdown(2)
