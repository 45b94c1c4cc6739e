"""The system in use by many at once, and everything that it answered meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from services.demo.behaviours import NO_THANKS
from services.demo.flows import World, new_password
from services.demo.people import Somebody
from services.demo.world import NotShownError
from tests.faults.system import System


@dataclass(slots=True)
class Answered:
    """
    What was answered; each list grows from one thread.

    Attributes:
        sessions: Tokens of logins, with the position that came with each.
        wrong: How many wrong passwords were refused as such, by person.
        passwords: Who was told that their new password is set; it is what they remember.
        torn: Whose change was under way at the end: the old password or the new one.
        commands: Ids with the outcomes that came, and the bytes that were published.
    """

    sessions: list[tuple[Somebody, str, str]] = field(default_factory=list)
    wrong: dict[str, tuple[Somebody, int]] = field(default_factory=dict)
    passwords: list[tuple[Somebody, str]] = field(default_factory=list)
    torn: list[tuple[Somebody, str, str]] = field(default_factory=list)
    commands: dict[str, tuple[dict[str, Any], bytes, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{len(self.sessions)} logins, {sum(n for _, n in self.wrong.values())} refusals,"
            f" {len(self.passwords)} new passwords, {len(self.commands)} commands"
        )


class Use:
    """Threads that log in, guess, set passwords and send commands until the system is gone."""

    def __init__(self, system: System, world: World, organisation_id: str) -> None:
        self.answered = Answered()
        self._system, self._organisation_id = system, organisation_id
        self._ending = threading.Event()
        self._logging_in = [world.join(organisation_id) for _ in range(3)]
        self._guessed = [world.join(organisation_id) for _ in range(4)]
        self._changing = [world.join(organisation_id) for _ in range(2)]
        self.faults: list[BaseException] = []

    @contextmanager
    def under_way(self) -> Iterator[Answered]:
        """Use it while in here; whoever is cut off at the end stops."""
        threads = [
            *(self._thread(self._log_in, who) for who in self._logging_in),
            self._thread(self._guess, self._guessed),
            *(self._thread(self._change, who) for who in self._changing),
            self._thread(self._command, None),
            self._thread(self._command, None),
        ]
        for thread in threads:
            thread.start()
        try:
            yield self.answered
        finally:
            self._ending.set()
            for thread in threads:
                thread.join(60)
        assert not self.faults, self.faults

    def _thread(self, work: Callable[[World, Any], None], who: object) -> threading.Thread:
        def run() -> None:
            world = self._system.world()
            try:
                while not self._ending.is_set():
                    work(world, who)
            except (httpx.HTTPError, NotShownError) as error:
                if not self._ending.wait(10):  # Cut off by the kill, that is; not before it.
                    self.faults.append(error)
            finally:
                world.close()

        return threading.Thread(target=run)

    def _log_in(self, world: World, who: Somebody) -> None:
        answer = world.login(who).expect(200, outcome="logged_in")
        self.answered.sessions.append((who, answer.body["session"], answer.body["position"]))

    def _guess(self, world: World, people: list[Somebody]) -> None:
        for who in people:
            answer = world.login(who, password=new_password())
            if answer.status == 429:
                continue
            answer.expect(401, "invalid-credentials")
            _, before = self.answered.wrong.get(who.staff_id, (who, 0))
            self.answered.wrong[who.staff_id] = who, before + 1

    def _change(self, world: World, _: Somebody) -> None:
        """Somebody new joins, and sets another password at once."""
        who = world.join(self._organisation_id)
        change = world.open(world.ask_for_link(who)).expect(200).body["change"]
        old, new = who.password, new_password()
        self.answered.torn.append((who, old, new))
        world.finish(who, change, NO_THANKS, new).expect(200, outcome="password_set")
        self.answered.torn.pop()
        self.answered.passwords.append((who, old))

    def _command(self, world: World, _: None) -> None:
        command_id, organisation_id = str(uuid4()), str(uuid4())
        data = {"organisation_id": organisation_id, "name": "Made In Use"}
        value = world.operator.write("register_organisation", data, command_id)
        outcome = world.operator.publish(value, command_id, organisation_id)
        self.answered.commands[command_id] = outcome, value, organisation_id
