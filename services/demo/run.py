"""Run the walk-through against what `twofold up` keeps running in a folder."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.local import ports
from infra.local.processes import Process
from services.demo import attackers, behaviours, decisions
from services.demo.flows import AHEAD, World
from services.demo.people import Authenticator, Somebody
from services.demo.publisher import Publisher
from services.demo.world import Log, Mailbox, NotShownError, Web
from services.publisher import PublisherKey

OK = 200


class NotRunningError(Exception):
    """There is nothing to walk through; the sentence says what to do."""


def demo(folder: Path) -> None:
    """
    Walk through, printing each step as it is shown.

    Args:
        folder: The one that `twofold up` keeps its things in.

    Raises:
        NotRunningError: Nothing runs there.
        NotShownError: A step didn't show what it must; it was printed.
    """
    try:
        told = json.loads((folder / "demo.json").read_text())
        environment = json.loads((folder / "settings.json").read_text())
        operator = PublisherKey.load(Path(told["operator_key"]))
        Web(told["auth_url"]).get("/health/ready").expect(200)
    except (OSError, ValueError, KeyError, NotShownError) as error:
        raise NotRunningError(
            "Twofold isn't running here: start it with make run, and wait for its ready block."
        ) from error
    console = Console(highlight=False)
    began = time.monotonic()
    port = ports.free_port()
    second = Process(
        "auth-ahead",
        [
            *(sys.executable, "-m", "services.cli", "auth"),
            *("--port", str(port), "--metrics-port", "0"),
        ],
        log=folder / "logs" / "auth-ahead.log",
        env=os.environ | environment | {"TWOFOLD_CLOCK_AHEAD": f"P{AHEAD.days}D"},
    )
    second.start()
    try:
        ahead = f"http://127.0.0.1:{port}"
        second.wait_for_url(f"{ahead}/health/ready")
        world = _world(told, operator, ahead, console)
        _log_in_support(world)
        for part in (behaviours, decisions, attackers):
            part.show(world)
    finally:
        second.stop()
    seconds = time.monotonic() - began
    console.print(f"[bold green]{world.shown} steps shown[/bold green] in {seconds:.0f} s")


def _world(told: dict[str, Any], operator: PublisherKey, ahead: str, console: Console) -> World:
    bootstrap = told["kafka"]
    outcomes = Log(bootstrap, "twofold.command-outcomes")
    return World(
        auth=Web(told["auth_url"]),
        ahead=Web(ahead),
        staff=Web(told["staff_url"]),
        log=Log(bootstrap, "twofold.events"),
        vault=Log(bootstrap, "twofold.vault"),
        mailbox=Mailbox(Path(told["mail"])),
        operator=Publisher(bootstrap, told["audience"], operator.id, operator.key, outcomes),
        support=_support(told),
        console=console,
    )


def _log_in_support(world: World) -> None:
    """Two codes may have been used elsewhere in the last minute; the third can't have been."""
    for _ in range(2):
        code = world.support.app.code()
        answer = world.login(world.support, code=code)
        if answer.status == OK:
            world.support.session = answer.body["session"]
            return
    world.logged_in(world.support)


def _support(told: dict[str, Any]) -> Somebody:
    for person in told["people"]:
        if person["role"] == "support":
            return Somebody(
                person["organisation_id"],
                person["staff_id"],
                person["username"],
                person["email"],
                person["password"],
                Authenticator(person["secret"]),
            )
    raise NotRunningError("The demonstration has nobody of support: make reset, then make run.")
