"""The staff service on the real servers: topics and a database of its own."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events import topics
from events.log import broker, clients
from services.staff.adapters.outbox import KafkaOutbox
from services.staff.publishers import PublishersFile
from services.staff.registrations import OPERATOR, write_fresh
from tests.services.projections.worlds import PARTITIONS, make_world, until
from tests.services.staff.mail import open_mail
from tests.services.staff.office import Key, Office
from tests.services.staff.people import uuid


@pytest.fixture(scope="module")
async def office(
    kafka: str, database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    """Give the staff service's surroundings, folded all the while; nothing is consumed yet."""
    mark = uuid4().hex[:8]
    named = [
        replace(topic, name=f"{topic.name}-{mark}")
        for topic in (topics.COMMANDS, topics.OUTCOMES, topics.DEAD_LETTERS)
    ]
    path: Path = tmp_path_factory.mktemp("keys") / "publishers.toml"
    async with make_world(kafka, database) as world, world.folding() as projections:

        async def ready() -> bool:
            try:
                await projections.ready()
            except Exception:  # noqa: BLE001 # Not yet.
                return False
            return True

        await broker.create(
            kafka,
            keys=world.ring.mac.keys,
            key_id=world.ring.mac.current,
            partitions=PARTITIONS,
            wanted=named,
        )
        operator = Key(OPERATOR, Ed25519PrivateKey.generate())
        write_fresh(path, world.ring, operator.private.public_key())
        commands, outcomes, dead_letters = (topic.name for topic in named)
        producer = clients.producer(kafka)
        await producer.start()
        mails = [await open_mail(kafka, outcomes), await open_mail(kafka, dead_letters)]
        await until(ready)
        try:
            async with KafkaOutbox(
                kafka, commands=commands, outcomes=outcomes, dead_letters=dead_letters
            ) as outbox:
                yield Office(
                    world=world,
                    commands=commands,
                    home=uuid(),
                    publishers=PublishersFile(path),
                    publishers_path=path,
                    outbox=outbox,
                    operator=operator,
                    people=Key(world.ring.signing_id, world.ring.signing_key()),
                    outcomes=mails[0],
                    dead_letters=mails[1],
                    producer=producer,
                    group=f"twofold.staff-{mark}",
                )
        finally:
            await producer.stop()
            for mail in mails:
                await mail.reader.stop()


@pytest.fixture(scope="module")
async def busy(office: Office) -> AsyncIterator[Office]:
    """Give an office whose commands are dealt with all the while."""
    async with office.consuming():
        yield office
