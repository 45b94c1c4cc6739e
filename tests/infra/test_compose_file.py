import re

from infra.local.compose import FILE
from infra.local.kafka import SETTINGS
from infra.local.kafka_jars import POM
from tests.stack import KAFKA_IMAGE, POSTGRES_IMAGE


class TestComposeFile:
    def test_sets_what_the_local_broker_is_set_to(self) -> None:
        written = FILE.read_text()
        for name, value in SETTINGS.items():
            variable = "KAFKA_" + name.upper().replace(".", "_")
            assert f'{variable}: "{value}"' in written

    def test_names_the_same_broker_as_the_jars_and_the_tests(self) -> None:
        version = re.search(r"<kafka.version>(.+)</kafka.version>", POM.read_text())
        assert version is not None
        assert f"apache/kafka:{version[1]}" == KAFKA_IMAGE
        assert re.findall(r"image: (.+)", FILE.read_text()) == [KAFKA_IMAGE, POSTGRES_IMAGE]

    def test_listens_on_loopback_alone(self) -> None:
        published = re.findall(r'- "(.*):\d+"', FILE.read_text())
        assert len(published) == 2
        assert all(address.startswith("127.0.0.1:") for address in published)
