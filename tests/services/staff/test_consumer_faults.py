"""A fault of ours on one command: it is set aside, told of, and holds nobody else's up for long."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from events import streams
from events.vault.port import MissingEntryError
from services.staff import consumer as consuming
from services.staff.consumer import Handler
from services.staff.ports import Answered, DeadLetter, RawCommand
from services.staff.stops import Stops
from services.web.health import inside
from tests.services.projections.worlds import until
from tests.services.staff.office import Office
from tests.services.staff.people import uuid
from tests.services.staff.test_consumer_away import Outlet, Source, consumer

CANARY = "canary-0815"


class Faulty:
    """The real handler, with a fault that some commands meet, before it or after."""

    def __init__(
        self, handler: Handler, meets: Callable[[RawCommand], bool], *, after: bool = False
    ) -> None:
        self.handler, self.meets, self.after = handler, meets, after
        self.met = 0

    async def handle(self, raw: RawCommand) -> Answered | DeadLetter:
        if not self.after and self.meets(raw):
            self.met += 1
            raise ZeroDivisionError(CANARY)
        handled = await self.handler.handle(raw)
        if self.after and self.meets(raw):
            self.met += 1
            raise ZeroDivisionError(CANARY)
        return handled


def stopped(partition: int) -> float | None:
    return REGISTRY.get_sample_value("twofold_commands_stopped", {"partition": str(partition)})


def set_aside() -> float:
    told = {"outcome": "dead_letter", "reason": "internal-error"}
    return REGISTRY.get_sample_value("twofold_commands_total", told) or 0


class TestAFaultOfOurs:
    async def test_on_one_command_sets_it_aside_and_the_next_is_dealt_with(
        self, office: Office
    ) -> None:
        async with office.consuming():
            acme = await office.organisation()
            sam, eve = await office.join(acme), await office.join(acme)
        poison = office.write("deactivate_staff", office.about(sam))
        command_id, key = json.loads(poison)["id"], uuid().encode()
        before = set_aside()
        faulty = Faulty(office.handler(), lambda raw: raw.value == poison)
        with capture_logs() as logs:
            async with office.consuming(handler=faulty):
                began = time.monotonic()
                await office.put(poison, key=key)
                assert (await office.send("deactivate_staff", office.about(eve)))[
                    "outcome"
                ] == "accepted"
                letter = await office.dead_letter(key)
                assert time.monotonic() - began < 5
                assert stopped(0) == 0
        assert letter["reason"] == "internal-error"
        assert set_aside() == before + 1
        faults = [line for line in logs if line["log_level"] == "error"]
        assert [line["event"] for line in faults] == [
            *["command.fault"] * consuming.TRIES,
            "command.dead_letter",
        ]
        assert faults[0]["error"] == "ZeroDivisionError"
        assert any(":handle:" in step for step in faults[0]["way"])
        assert CANARY not in str([logs, letter])
        # Nothing is decided: mended, it is dealt with as if it had never met the fault.
        assert not await office.world.queries.outcomes(command_id, office.operator.id)
        async with office.consuming():
            await office.put(poison, key=key)
            assert (await office.outcome(command_id))["outcome"] == "accepted"
        names = await office.counted(streams.account(acme, sam.staff_id))
        assert names.count("staff_deactivated") == 1

    async def test_behind_its_effects_makes_no_second_ones(self, office: Office) -> None:
        async with office.consuming():
            acme = await office.organisation()
            sam = await office.join(acme)
        value = office.write("deactivate_staff", office.about(sam))
        faulty = Faulty(
            office.handler(), lambda raw: raw.value == value and not faulty.met, after=True
        )
        async with office.consuming(handler=faulty):
            await office.put(value)
            assert (await office.outcome(json.loads(value)["id"]))["outcome"] == "accepted"
        assert faulty.met == 1
        names = await office.counted(streams.account(acme, sam.staff_id))
        assert names.count("staff_deactivated") == 1

    async def test_of_the_vault_s_is_one_person_s_alone(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever may write to the vault's topic can have a data key forgotten: no more stops."""
        monkeypatch.setattr(consuming, "TRIES_WITHOUT_AN_ENTRY", 2)
        async with office.consuming():
            acme = await office.organisation()
            sam, eve = await office.join(acme), await office.join(acme)
            await office.world.vault.forget(sam.data_key)
            key = uuid().encode()
            await office.put(office.write("deactivate_staff", office.about(sam)), key=key)
            after = await office.send("deactivate_staff", office.about(eve))
        assert after["outcome"] == "accepted"
        letter = await office.dead_letter(key)
        assert letter["reason"] == "internal-error"
        assert "MissingEntryError" in letter["detail"]

    async def test_is_shown_while_it_lasts(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By the gauge, and where readiness is asked for; neither sends people elsewhere."""
        monkeypatch.setattr(consuming, "TRIES", 10_000)
        stops = Stops()

        async def ready() -> Sequence[str]:
            return stops.sentences()

        app = inside(ready, service="staff")
        async with office.consuming():
            value = office.write("deactivate_staff", office.about(await office.join(
                await office.organisation()
            )))  # fmt: skip
        mended = asyncio.Event()
        faulty = Faulty(office.handler(), lambda _: not mended.is_set())
        asked = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=asked, base_url="http://staff") as http,
            office.consuming(handler=faulty, stops=stops),
        ):

            async def shown() -> dict[str, Any]:
                answer = await http.get("/health/ready")
                assert answer.status_code == 200
                told: dict[str, Any] = answer.json()
                return told

            placed = await office.producer.send_and_wait(
                office.commands, value, partition=1, headers=office.signed(value)
            )
            stop = f"Commands of partition 1 wait at offset {placed.offset}: ZeroDivisionError."

            async def is_shown() -> bool:
                return (await shown()).get("warnings") == [stop]

            await until(is_shown)
            assert (stopped(0), stopped(1)) == (0, 1)
            mended.set()
            assert (await office.outcome(json.loads(value)["id"]))["outcome"] == "accepted"

            async def goes_on() -> bool:  # The outcome can be read before its sender knows of it.
                return await shown() == {"status": "ready"} and stopped(1) == 0

            await until(goes_on)


class Always:
    """A handler that meets the same each time."""

    def __init__(self, error: Exception) -> None:
        self.error, self.handled = error, list[int]()

    async def handle(self, raw: RawCommand) -> Answered | DeadLetter:
        self.handled.append(raw.offset)
        raise self.error


class Letters(Outlet):
    """Takes dead letters, too, or meets a fault with each."""

    def __init__(self, source: Source, error: Exception | None = None) -> None:
        super().__init__(source)
        self.error, self.letters = error, list[DeadLetter]()

    async def dead_letter(self, letter: DeadLetter) -> None:
        if self.error is not None:
            raise self.error
        self.letters.append(letter)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give no pause between tries."""
    monkeypatch.setattr(consuming, "_FIRST_PAUSE_S", 0)
    monkeypatch.setattr(consuming, "_LONGEST_PAUSE_S", 0)


@pytest.mark.usefixtures("at_once")
class TestSettingAside:
    async def test_an_entry_that_is_gone_from_the_vault_is_waited_for_once(self) -> None:
        source, handler = Source(), Always(MissingEntryError("a key"))
        outlet = Letters(source)
        await consumer(handler, outlet).consume(0, source)
        assert handler.handled == [7] * 11 + [8] * 5
        assert [letter.raw.offset for letter in outlet.letters] == [7, 8]
        assert source.committed == [8, 9]

    async def test_that_fails_skips_nothing_and_commits_nothing(self) -> None:
        source = Source()
        outlet = Letters(source, ZeroDivisionError("letters, too"))
        with pytest.raises(ZeroDivisionError, match="letters"):
            await consumer(Always(ValueError()), outlet).consume(0, source)
        assert source.committed == []


class Broken(Source):
    """A source with a fault, until it is mended; then it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.mended = False

    async def read(self) -> AsyncGenerator[Sequence[RawCommand], None]:
        if not self.mended:
            raise ZeroDivisionError(CANARY)
        yield []
        await asyncio.Event().wait()


async def test_a_fault_of_no_record_halts_its_partition_until_it_is_mended() -> None:
    source, stops = Broken(), Stops()
    running = consumer(Always(ValueError()), Outlet(source), stops=stops, source=source)
    task = asyncio.create_task(running.run())

    async def halts() -> bool:
        return "ZeroDivisionError" in str(stops.sentences())

    async def goes_on() -> bool:
        return not stops.sentences() and stopped(0) == 0

    try:
        with capture_logs() as logs:
            await until(halts)
            assert stopped(0) == 1
            source.mended = True
            await until(goes_on)
        assert any(line["event"] == "commands.halted" for line in logs)
        assert CANARY not in str(logs)
    finally:
        task.cancel()
        await asyncio.wait([task])
