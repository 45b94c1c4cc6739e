"""Starting the system to attack: every service in processes of their own."""

import asyncio
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from rich.console import Console

from events import topics
from events.keys import KeyRing
from events.log import broker
from infra.local.ports import free_port
from infra.local.processes import Process
from services.demo.flows import AHEAD
from services.demo.people import Somebody
from services.demo.publisher import Publisher
from services.demo.world import Log, Mailbox
from services.publisher import PublisherKey
from services.staff.registrations import OPERATOR
from services.up import keys
from tests.attacks.system import (
    AUDIENCE,
    HALF_AN_HOUR,
    HOME,
    PARTITIONS,
    SETUP_NEW,
    Attacked,
    Recorded,
    webs_of,
)
from tests.browser.system import PREFIX
from tests.stack import TestStack


@contextmanager
def running_system(stack: TestStack, folder: Path) -> Iterator[Attacked]:
    """Every service in processes of their own, on a database and on topics that nobody else has."""
    name = f"attacked_{uuid.uuid4().hex[:12]}"
    key_files = keys.KeyFiles.under(folder / "keys")
    ring = keys.generate(key_files)
    _administer(stack, f"CREATE DATABASE {name} TEMPLATE template0")
    database = urlunsplit(urlsplit(stack.database)._replace(path=f"/{name}"))
    ports = {
        part: free_port()
        for part in (
            "auth",
            "b",
            "c",
            "ahead",
            "later",
            "staff",
            "late",
            "fold",
            "in-auth",
            "in-staff",
        )
    }
    url = {part: f"http://127.0.0.1:{port}" for part, port in ports.items()}
    told = {
        "TWOFOLD_MODE": "development",
        "TWOFOLD_ENVIRONMENT": "tests",
        "TWOFOLD_KAFKA": stack.kafka,
        "TWOFOLD_DATABASE": database,
        "TWOFOLD_KEYS": str(key_files.ring),
        "TWOFOLD_PUBLISHERS": str(key_files.publishers),
        "TWOFOLD_AUTH_URL": url["auth"],
        "TWOFOLD_STAFF_URL": url["staff"],
        "TWOFOLD_SMTP": f"127.0.0.1:{free_port()}",
        "TWOFOLD_TEST_MAIL": str(folder / "mail"),
        PREFIX: name,
    }
    _create_topics(stack, name, ring)
    services = {
        "projections": [f"projections:{ports['fold']}"],
        "auth": [f"auth:{ports['auth']}:0:{ports['in-auth']}"],
        "auth-b": [f"auth:{ports['b']}"],
        "auth-c": [f"auth:{ports['c']}"],
        "staff": [f"staff:{ports['staff']}:0:{ports['in-staff']}", "mail", "notify"],
        "moved": [
            f"auth:{ports['ahead']}:{int(AHEAD.total_seconds())}",
            f"auth:{ports['later']}:{int(HALF_AN_HOUR.total_seconds())}",
            f"staff-web:{ports['late']}:{15 * 60}",
        ],
    }
    processes = {
        part: Process(
            part,
            [sys.executable, "-m", "tests.attacks.process", *wanted],
            log=folder / f"{part}.log",
            env=told,
            cwd=Path.cwd(),
        )
        for part, wanted in services.items()
    }
    try:
        for process in processes.values():
            process.start()
        for part, process in (
            ("fold", processes["projections"]), ("auth", processes["auth"]),
            ("b", processes["auth-b"]), ("c", processes["auth-c"]),
            ("staff", processes["staff"]), ("ahead", processes["moved"]),
            ("later", processes["moved"]), ("late", processes["moved"]),
        ):  # fmt: skip
            process.wait_for_url(f"{url[part]}/health/ready", timeout=90)
        processes["staff"].wait_for_line("notify.ready", timeout=30)
        world = _world(stack, folder, name, database, url, processes, ring, key_files)
        try:
            yield world
        finally:
            for web in webs_of(world):
                web.close()
    finally:
        for process in processes.values():
            process.kill()
        _administer(stack, f"DROP DATABASE {name} WITH (FORCE)")


def _world(
    stack: TestStack,
    folder: Path,
    name: str,
    database: str,
    url: Mapping[str, str],
    processes: Mapping[str, Process],
    ring: KeyRing,
    key_files: keys.KeyFiles,
) -> Attacked:
    answers: list[bytes] = []
    webs = {part: Recorded(where, answers) for part, where in url.items()}
    operator = PublisherKey.load(key_files.operator)
    outcomes = Log(stack.kafka, f"{name}.twofold.command-outcomes")
    commands = f"{name}.twofold.commands"
    world = Attacked(
        auth=webs["auth"],
        ahead=webs["ahead"],
        staff=webs["staff"],
        log=Log(stack.kafka, f"{name}.twofold.events"),
        vault=Log(stack.kafka, f"{name}.twofold.vault"),
        mailbox=Mailbox(folder / "mail"),
        operator=Publisher(stack.kafka, AUDIENCE, OPERATOR, operator.key, outcomes, commands),
        support=Somebody("", "", "", ""),
        console=Console(quiet=True),
        folder=folder,
        auths=[webs["auth"], webs["b"], webs["c"]],
        later=webs["later"],
        late_staff=webs["late"],
        projections=webs["fold"],
        inside={name: webs[f"in-{name}"] for name in ("auth", "staff")},
        processes=processes,
        stack=stack,
        database=database,
        prefix=name,
        ring=ring,
        answers=answers,
    )
    home = {"organisation_id": HOME, "name": "Support"}
    assert world.operator.send("register_organisation", home)["outcome"] == "accepted"
    world.support = world.join(HOME, "support", SETUP_NEW)
    return world


def _create_topics(stack: TestStack, prefix: str, ring: KeyRing) -> None:
    wanted = [replace(topic, name=f"{prefix}.{topic.name}") for topic in topics.ALL]
    asyncio.run(
        broker.create(
            stack.kafka,
            keys=ring.mac.keys,
            key_id=ring.mac.current,
            partitions=PARTITIONS,
            wanted=wanted,
        )
    )


def _administer(stack: TestStack, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(stack.database)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
