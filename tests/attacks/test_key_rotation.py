"""Keys that rotate while people log in: nothing breaks, nothing is left behind or comes back."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from events import keys, topics
from events.log.bulk import bounds, bulk_messages
from events.vault.sealing import SealedEntry, seal
from events.vault.topic import VaultTopic
from services.rotation import proof
from tests.attacks.earnest import Earnest
from tests.attacks.rotating import PARTITIONS, Logins, until_followed
from tests.browser.people import Agency, Somebody, Staffing

MANY = 1_500
PATIENT = ("--patience", "30")


class TestTheVaultsKey:
    @pytest.mark.row(39)
    async def test_rotates_while_people_log_in_and_brings_back_nobody(
        self, earnest: Earnest, staffing: Staffing, agency: Agency
    ) -> None:
        people = [await agency.person() for _ in range(2)]
        gone, going = [await agency.person(enrolled=True) for _ in range(2)]
        await forget(staffing, gone)
        await fill(earnest, people[0].staff_id)
        old = keys.load(earnest.ring).encryption.current
        lost = {*entries_of(earnest, gone), *entries_of(earnest, going)}
        logins = Logins(staffing, people)
        began = time.perf_counter()
        async with logins.going_on():
            rotating = asyncio.to_thread(
                earnest.run, "keys", "rotate", "--json", *PATIENT, told=earnest.told("operator")
            )
            done, _ = await asyncio.gather(rotating, forget(staffing, going))
            seconds = time.perf_counter() - began
        assert done.status == 0, done
        told = json.loads(done.out)
        assert told["left"] == 0
        assert set(told["under"]) == {told["current"]}
        assert told["under"][told["current"]] >= MANY
        assert len(logins.seconds) >= 4
        print(  # noqa: T201 -- What was measured.
            f"\n{MANY} entries and more wrapped anew, command included, in {seconds:.1f} s;"
            f" {len(logins.seconds)} logins meanwhile, the slowest {max(logins.seconds):.2f} s"
        )
        assert await staffing.log_in(await agency.person(enrolled=True))
        await until_gone(earnest, lost)
        assert old not in await asyncio.to_thread(under, earnest)
        # With the old key gone from the file, and soon from every service, all goes on.
        earnest.must("keys", "drop", old, told=earnest.told("operator"))
        await until_followed(earnest)
        assert await staffing.log_in(people[0])

    @pytest.mark.row(39)
    async def test_goes_on_where_it_was_cut_off(
        self, earnest: Earnest, staffing: Staffing, agency: Agency
    ) -> None:
        """The command killed, and the keeper with it, in the middle."""
        someone = await agency.person()
        await fill(earnest, someone.staff_id)
        operator = earnest.told("operator")
        old = keys.load(earnest.ring).encryption.current
        before = under(earnest)[old]
        project = earnest.processes["project"]
        command = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "keys", "rotate"],
            env={"PATH": "/usr/bin:/bin", **operator},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(30):
                while under(earnest).get(old, 0) >= before:
                    await asyncio.sleep(0)
        finally:
            command.send_signal(signal.SIGKILL)
            project.kill()
            command.communicate()
        await fill(earnest, someone.staff_id, under=old)  # By who hadn't heard of the new one yet.
        assert under(earnest)[old] >= MANY
        given_up = earnest.run("keys", "rotate", "--resume", "--patience", "1", told=operator)
        refused = earnest.run("keys", "drop", old, told=operator)
        assert given_up.status == 1
        assert "twofold keys rotate --resume" in given_up.err
        assert refused.status == 1
        assert "are still under" in refused.err
        project.start()
        await asyncio.to_thread(earnest.wait_for, "project")
        assert "none is left" in earnest.must("keys", "rotate", "--resume", *PATIENT, told=operator)
        assert await staffing.log_in(someone)

    @pytest.mark.row(39)
    async def test_a_forgotten_entry_that_a_paused_keeper_writes_again_is_forgotten_again(
        self, earnest: Earnest, staffing: Staffing, agency: Agency
    ) -> None:
        """Nobody fences Kafka: what wakes too late is put right by the next look."""
        someone = await agency.person(enrolled=True)
        old = [value for value in values(earnest).values() if owner(value) == someone.staff_id]
        assert len(old) == 3
        await forget(staffing, someone)
        ids = {SealedEntry.from_bytes(value).id for value in old if value}
        await until_gone(earnest, ids)
        vault = VaultTopic(earnest.connection("projections"), topics.VAULT.name, PARTITIONS)
        async with vault:
            await vault.append_all(
                [(SealedEntry.from_bytes(value).id, value) for value in old if value]
            )
        await until_gone(earnest, ids)


async def forget(staffing: Staffing, someone: Somebody) -> None:
    data = {
        "organisation_id": someone.organisation_id,
        "staff_id": someone.staff_id,
        "reason": "They asked for it.",
    }
    await staffing.command("forget_staff", data)


async def fill(earnest: Earnest, staff_id: str, *, under: str | None = None) -> None:
    """Many entries, as if a firm of that size had just registered its people."""
    key = keys.load(earnest.ring).encryption
    if under is not None:
        key = replace(key, current=under)
    deadline = datetime.now(UTC) + timedelta(minutes=4)
    made = [
        seal(
            b"x" * 32, entry_id=str(uuid4()), kind="personal", owner=staff_id,
            deadline=deadline, key=key,
        )
        for _ in range(MANY)
    ]  # fmt: skip
    async with VaultTopic(
        earnest.connection("projections"), topics.VAULT.name, PARTITIONS
    ) as vault:
        for start in range(0, MANY, 200):
            batch = made[start : start + 200]
            await vault.append_all([(one.id, one.to_bytes()) for one in batch])


def under(earnest: Earnest) -> dict[str, int]:
    """How many entries are under each key, read from the topic."""
    return proof(earnest.connection("operator"), keys.load(earnest.ring).encryption)


def values(earnest: Earnest) -> dict[str, bytes | None]:
    """The vault as the topic has it: the last value of each entry."""
    kafka, found = earnest.connection("operator"), {}
    for partition in range(PARTITIONS):
        low, end = bounds(kafka, topics.VAULT.name, partition)
        for messages in bulk_messages(kafka, topics.VAULT.name, partition, low, end):
            for one in messages:
                found[(one.key() or b"").decode()] = one.value()
    return found


def owner(value: bytes | None) -> str | None:
    return SealedEntry.from_bytes(value).owner if value else None


def entries_of(earnest: Earnest, someone: Somebody) -> set[str]:
    return {key for key, value in values(earnest).items() if owner(value) == someone.staff_id}


async def until_gone(earnest: Earnest, ids: set[str]) -> None:
    async with asyncio.timeout(20):
        while True:
            now = await asyncio.to_thread(values, earnest)
            if all(now[name] is None for name in ids):
                return
            await asyncio.sleep(0.2)
