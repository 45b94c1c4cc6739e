"""Somebody who stole the writers' MAC key, and may write to Kafka as auth may."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from events import keys, streams, topics
from events.facts import Draft, Fact
from events.log.bulk import bounds, bulk_messages
from events.log.kafka import KafkaLog
from events.log.proposal import Proposal, Signer
from events.marks import OlderKeysRetired
from events.organisation import OrganisationRegistered
from services.projections.database import open_pool
from tests.attacks.earnest import Earnest
from tests.attacks.rotating import PARTITIONS, Logins, until_followed
from tests.browser.people import Agency, Staffing


class TestTheWritersKey:
    @pytest.mark.row(39)
    async def test_is_prepared_then_current_and_never_dropped(
        self, earnest: Earnest, staffing: Staffing, agency: Agency
    ) -> None:
        operator = earnest.told("operator")
        someone = await agency.person()
        unprepared = earnest.run("keys", "rotate", "--mac", told=operator)
        assert (unprepared.status, "--prepare" in unprepared.err) == (2, True)
        old = keys.load(earnest.ring).mac.current
        earnest.must("keys", "rotate", "--mac", "--prepare", told=operator)
        async with Logins(staffing, [someone]).going_on():
            await asyncio.to_thread(
                earnest.must, "keys", "rotate", "--mac", "--activate", told=operator
            )
            await until_followed(earnest, mac=True)
        assert await staffing.log_in(someone)
        refused = earnest.run("keys", "drop", old, "--mac", told=operator)
        assert (refused.status, "never dropped" in refused.err) == (1, True)
        said = earnest.must(
            "audit", "replay", "--json", "--all-fates", told=earnest.told("auditor")
        )
        lines = [json.loads(line) for line in said.splitlines()]
        assert not [line for line in lines if line["fate"] in {"forged", "malformed"}]
        assert {old, keys.load(earnest.ring).mac.current} <= set(mac_keys(earnest))

    @pytest.mark.row(39)
    async def test_a_ring_without_an_old_one_is_not_followed(
        self, earnest: Earnest, staffing: Staffing, agency: Agency
    ) -> None:
        someone = await agency.person()
        before = earnest.ring.read_text()
        stored = json.loads(before)
        old = min(stored["mac"]["keys"])
        assert old != stored["mac"]["current"]
        del stored["mac"]["keys"][old]
        logs = earnest.processes["auth"]
        earnest.ring.write_text(json.dumps(stored))
        try:
            await asyncio.to_thread(logs.wait_for_line, "keys.not_followed", timeout=10)
            assert await staffing.log_in(someone)
        finally:
            earnest.ring.write_text(before)

    @pytest.mark.row(39, 63)
    async def test_a_stolen_one_is_worth_nothing_once_it_is_retired(
        self, earnest: Earnest, staffing: Staffing, agency: Agency
    ) -> None:
        """The thief writes as auth does, with a key that was replaced."""
        operator = earnest.told("operator")
        someone = await agency.person()
        stolen = keys.load(earnest.ring).mac
        await rotate(earnest)
        thief = Signer("twofold/auth", stolen.current, stolen.key, PARTITIONS)
        before = await write(earnest, thief)
        assert "can still sign" in earnest.run("doctor", told=operator).out
        said = json.loads(earnest.must("keys", "retire", "--json", told=operator))
        assert said["partitions"] == list(range(PARTITIONS))
        assert stolen.current in said["retired"]
        after = [await write(earnest, thief) for _ in range(3)]
        # What the thief had left to try: retiring the new key by the old one.
        after += [
            await write(earnest, thief, streams.log(partition), OlderKeysRetired())
            for partition in range(PARTITIONS)
        ]
        assert "already" in earnest.must("keys", "retire", told=operator)
        assert "none can sign" in earnest.run("doctor", told=operator).out
        assert await staffing.log_in(someone)
        fates = fates_of(earnest)
        assert fates[before] == "counted"
        assert {fates[one] for one in after} == {"forged"}
        assert await staffing.log_in(await agency.person(enrolled=True))
        assert not json.loads(
            earnest.must("audit", "verify", "--json", told=earnest.told("auditor"))
        )["wrong"]

    @pytest.mark.row(63)
    @pytest.mark.usefixtures("staffing")
    async def test_while_nothing_is_folded_retiring_says_so_and_goes_on_later(
        self, earnest: Earnest
    ) -> None:
        operator = earnest.told("operator")
        await rotate(earnest)
        project = earnest.processes["project"]
        project.kill()
        unfolded = earnest.run("keys", "retire", told=operator)
        assert (unfolded.status, "Is twofold project running?" in unfolded.err) == (1, True)
        project.start()
        await asyncio.to_thread(earnest.wait_for, "project")
        earnest.must("keys", "retire", told=operator)
        assert "none can sign" in earnest.run("doctor", told=operator).out


async def rotate(earnest: Earnest) -> None:
    """A new MAC key, which every service uses."""
    for step in ("--prepare", "--activate"):
        earnest.must("keys", "rotate", "--mac", step, told=earnest.told("operator"))
    await until_followed(earnest, mac=True)


async def write(
    earnest: Earnest, signer: Signer, stream: str = "", fact: Fact | None = None
) -> tuple[int, int]:
    """Append an event on a true head; returns its partition and offset."""
    stream = stream or streams.organisation(str(uuid4()))
    pool = await open_pool(earnest.database("projections"), largest=1)
    try:
        query = "SELECT digest FROM stream_head WHERE stream = $1"
        head = await pool.fetchval(query, stream)
    finally:
        await pool.close()
    proposal = Proposal(
        drafts=[Draft(stream, fact or OrganisationRegistered(name="The Thieves"))],
        basis=(),
        heads={stream: head},
        clock=datetime.now(UTC),
        event_id=str(uuid4()),
        actor="system",
        correlation_id=str(uuid4()),
    )
    batch = signer.batch(proposal, datetime.now(UTC))
    async with KafkaLog(earnest.connection("auth"), topics.EVENTS.name, PARTITIONS) as log:
        return batch.partition, await log.append(batch.partition, batch.values)


def fates_of(earnest: Earnest) -> dict[tuple[int, int], str]:
    said = earnest.must("audit", "replay", "--json", "--all-fates", told=earnest.told("auditor"))
    lines = [json.loads(line) for line in said.splitlines()]
    return {(one["partition"], one["offset"]): one["fate"] for one in lines}


def mac_keys(earnest: Earnest) -> set[str]:
    kafka, found = earnest.connection("auditor"), set()
    for partition in range(PARTITIONS):
        low, end = bounds(kafka, topics.EVENTS.name, partition)
        for messages in bulk_messages(kafka, topics.EVENTS.name, partition, low, end):
            found |= {json.loads(one.value() or b"")["mac"].partition(".")[0] for one in messages}
    return found
