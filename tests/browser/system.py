"""
The whole system in one process, as `twofold up` runs it in several: for tests that play people.

`python -m tests.browser.system FOLDER` is told by the environment what every service is told, and
which names its topics have; it prints *ready* once everything answers.

Beside the real thing there are: an auth and a staff service whose clocks are a quarter of an hour
ahead, and an auth service that is 40 days ahead.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import uvicorn

from events import topics

if TYPE_CHECKING:
    from services.settings import Settings

SOON: Final = timedelta(minutes=15)
LATER: Final = timedelta(days=40)
PREFIX: Final = "TWOFOLD_TEST_TOPICS"


def rename_topics(prefix: str) -> None:
    """
    Give this process's topics names of their own, before anything else looks at them.

    Names are the one thing of topics that isn't a setting: an installation has a broker to itself,
    and tests share one.
    """
    for topic in topics.ALL:
        object.__setattr__(topic, "name", f"{prefix}.{topic.name}")


async def run(folder: Path) -> None:
    """Run everything until killed."""
    # After the renaming, for their defaults name topics.
    from events.log import broker  # noqa: PLC0415
    from services import logs  # noqa: PLC0415
    from services.auth import main as auth  # noqa: PLC0415
    from services.notify import main as notify  # noqa: PLC0415
    from services.projections import main as projections  # noqa: PLC0415
    from services.settings import Settings  # noqa: PLC0415
    from services.staff import main as staff  # noqa: PLC0415
    from services.up import keys  # noqa: PLC0415
    from services.up.sink import MailSink  # noqa: PLC0415

    logs.configure("system")
    settings = Settings()
    ring = keys.ensure(keys.KeyFiles.under(settings.keys.parent))
    MailSink(folder / "mail", int(settings.smtp.rpartition(":")[2])).start()
    await broker.create(settings.kafka, keys=ring.mac.keys, key_id=ring.mac.current, partitions=2)

    def moved(by: timedelta, *urls: str) -> Settings:
        changed = dict(zip(("auth_url", "staff_url"), urls, strict=False))
        return settings.model_copy(update={"clock_ahead": by, **changed})

    soon_auth, soon_staff, later_auth = os.environ["TWOFOLD_TEST_MOVED"].split()
    soon = moved(SOON, soon_auth, soon_staff)
    later = moved(LATER, later_auth)
    port = int(os.environ["TWOFOLD_TEST_PROJECTIONS_PORT"])
    async with asyncio.TaskGroup() as running:
        running.create_task(projections.run(settings, port=port))
        running.create_task(auth.run(settings, port=port_of(settings.auth_url)))
        running.create_task(staff.run(settings, port=port_of(settings.staff_url)))
        running.create_task(notify.run(settings))
        running.create_task(auth.run(soon, port=port_of(soon_auth)))
        running.create_task(_staff_pages(soon, port_of(soon_staff)))
        running.create_task(auth.run(later, port=port_of(later_auth)))
        urls = [settings.auth_url, settings.staff_url, soon_auth, soon_staff, later_auth]
        await _ready([f"http://127.0.0.1:{port}", *urls])
        await asyncio.to_thread(_found, settings, folder)
        print("ready", flush=True)  # noqa: T201 -- The tests wait for it.


def _found(settings: "Settings", folder: Path) -> None:
    """Register support's organisation and its first person with the operator's key."""
    from events.commands import RegisterOrganisation, RegisterStaff  # noqa: PLC0415
    from services.publisher import CommandSender, PublisherKey  # noqa: PLC0415
    from services.up.keys import KeyFiles  # noqa: PLC0415

    operator = PublisherKey.load(KeyFiles.under(settings.keys.parent).operator)
    home = settings.home_organisation
    told = {
        "staff_id": str(uuid4()),
        "organisation_id": home,
        "username": "sue",
        "email": "sue@support.example",
        "display_name": "Sue Marsh",
    }
    support = {"organisation_id": home, "name": "Support"}
    with CommandSender(settings.kafka, operator, audience=settings.commands_audience) as sender:
        for command in (
            RegisterOrganisation.model_validate(support),
            RegisterStaff.model_validate({**told, "role": "support"}),
        ):
            outcome = sender.send(command)
            assert outcome.outcome == "accepted", outcome
    (folder / "founder.json").write_text(json.dumps(told))


async def _ready(urls: Sequence[str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in urls:
            while True:
                try:
                    if (await client.get(f"{url}/health/ready")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)


async def _staff_pages(settings: "Settings", port: int) -> None:
    """The staff service without its consumer: commands are dealt with by the real clock."""
    from services.foundation import foundation  # noqa: PLC0415
    from services.staff import main as staff  # noqa: PLC0415
    from services.staff.adapters.outbox import KafkaOutbox  # noqa: PLC0415
    from services.staff.publishers import PublishersFile  # noqa: PLC0415
    from services.staff.web.app import build  # noqa: PLC0415
    from services.web.pages.places import Places  # noqa: PLC0415
    from services.web.plumbing import Plumbing  # noqa: PLC0415

    publishers = PublishersFile(settings.publishers)
    async with (
        foundation(settings, staff.SOURCE) as base,
        KafkaOutbox(base.connection, clock=staff.clock) as outbox,
    ):
        places = Places(auth=settings.auth_url, staff=settings.staff_url)
        app = Plumbing(build(staff.ground_on(base, publishers, outbox), places), service="staff")
        await uvicorn.Server(
            uvicorn.Config(app, port=port, log_config=None, access_log=False)
        ).serve()


def port_of(url: str) -> int:
    """The port in *url*."""
    port = urlsplit(url).port
    assert port is not None
    return port


if __name__ == "__main__":
    rename_topics(os.environ[PREFIX])
    asyncio.run(run(Path(sys.argv[1])))
