"""An auditor at the command line, on the real servers: what is printed, and the exit status."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from events import keys, topics
from events.log import broker
from services.audit.checkpoint import publish
from services.audit.history import KafkaHistory
from services.audit.verify import verify
from services.publisher import PublisherKey
from tests.services.projections.worlds import PARTITIONS, World, make_world

pytestmark = pytest.mark.row(51)

# Names are the one thing of topics that isn't a setting; tests share a broker.
_PROGRAM = """
import os
from events import topics
for topic in topics.ALL:
    object.__setattr__(topic, "name", topic.name + os.environ["TEST_MARK"])
from services.cli import main
main()
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """An auditor's own folder, and what happened."""

    folder: Path
    env: dict[str, str]
    world: World
    organisation: str
    ann: str
    enrolled: datetime

    async def run(self, *arguments: str, fails: bool = False) -> str:
        """In a thread: the projector goes on beside."""
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", _PROGRAM, *arguments],
            cwd=self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stderr + done.stdout
        if fails:
            assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr if fails else done.stdout

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self.run(*arguments, "--json"))


@pytest.fixture(scope="module")
async def desk(
    kafka: str, database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("auditor")
    async with make_world(kafka, database) as world, world.folding():
        mark = world.events.removeprefix(topics.EVENTS.name)
        wanted = [replace(topic, name=topic.name + mark) for topic in topics.ALL]
        mac = world.ring.mac
        await broker.create(
            kafka, keys=mac.keys, key_id=mac.current, partitions=PARTITIONS, wanted=wanted
        )
        organisation = await world.organisation()
        ann, _, _ = await world.enrolled(organisation)
        moment = await world.pool.fetchval(
            "SELECT since FROM two_factor_status WHERE staff_id = $1", ann
        )
        keys.save(world.ring, folder / "keys.json")
        clean = {name: value for name, value in os.environ.items() if "TWOFOLD" not in name}
        env = clean | {
            "PYTHONPATH": str(Path.cwd()),
            "TEST_MARK": mark,
            "TWOFOLD_MODE": "development",
            "TWOFOLD_ENVIRONMENT": "tests",
            "TWOFOLD_KAFKA": kafka,
            "TWOFOLD_DATABASE": database,
            "TWOFOLD_KEYS": str(folder / "keys.json"),
        }
        yield Desk(folder, env, world, organisation, ann, moment)


async def test_a_whole_audit(desk: Desk) -> None:
    """Sign, dump, verify without any server or secret, prove one record, and compare."""
    assert "audit key --new" in await desk.run("audit", "checkpoint", fails=True)
    key = (await desk.run("audit", "key", "--new")).strip()
    (desk.folder / "key").write_text(key)
    assert "exists already" in await desk.run("audit", "key", "--new", fails=True)

    unsigned = await desk.run("audit", "verify", "--key", "key", fails=True)
    assert "no checkpoint that is signed by this key" in unsigned
    unwritten = await desk.run("audit", "checkpoint", "--out", "no/where", fails=True)
    assert "no/where can't be written" in unwritten
    signed = (await desk.json("audit", "checkpoint", "--out", "kept"))["signed"]
    assert {one["partition"] for one in signed} == {0, 1}
    assert (await desk.json("audit", "checkpoint"))["signed"] == []

    found = await desk.json("audit", "verify")
    assert (found["verified"], found["checkpoints"], found["wrong"]) == (True, 2, [])
    assert [one["running"] for one in found["partitions"]] == [one["running"] for one in signed]
    assert "2 of 2 checkpoints agree; 0 records came behind" in await desk.run("audit", "verify")

    position = (await desk.json("audit", "as-of", _told(desk.enrolled), "--person", desk.ann))[
        "position"
    ]
    await desk.run("audit", "replay", "--dump", "history.gz")
    await desk.run("audit", "prove", position, "--out", "proof.json")
    assert (await desk.json("audit", "prove"))["equal"] is True

    (desk.folder / "empty").touch()
    nothing = await desk.run("audit", "verify", "--checkpoints", "empty", fails=True)
    assert "empty holds no checkpoint" in nothing
    await desk.run("audit", "checkpoint", "--out", "later")
    assert not (desk.folder / "later").exists()

    alone = replace(desk, env={**desk.env, "TWOFOLD_KAFKA": "127.0.0.1:1", "TWOFOLD_KEYS": "none"})
    without_ring = await alone.run("audit", "verify", "--from", "history.gz", fails=True)
    assert "--without-keys" in without_ring
    found = await alone.json(
        "audit", "verify", "--from", "history.gz", "--without-keys", "--key", "key",
        "--checkpoints", "kept",
    )  # fmt: skip
    assert (found["verified"], found["macs_checked"], found["checkpoints"]) == (True, False, 2)
    assert "is counted" in await alone.run("audit", "verify", "--proof", "proof.json", "--key", key)
    proof = json.loads((desk.folder / "proof.json").read_text())
    (desk.folder / "lie.json").write_text(json.dumps(proof | {"fate": "expired"}))
    assert "doesn't hold" in await alone.run(
        "audit", "verify", "--proof", "lie.json", "--key", key, fails=True
    )


async def test_a_partition_without_a_checkpoint(desk: Desk) -> None:
    """It isn't called verified, nor signed as if for the first time; what was kept is put back."""
    kafka, signing = desk.env["TWOFOLD_KAFKA"], ("--signing-key", "another.json")
    key = (await desk.run("audit", "key", "--new", *signing)).strip()
    private = PublisherKey.load(desk.folder / "another.json").private()
    found = verify(KafkaHistory(kafka, topic=desk.world.events), desk.world.ring.mac.keys)
    notes = [one.checkpoint("twofold/tests").sign(private) for one in found]
    (desk.folder / "both").write_text("".join(notes))
    publish(kafka, [(0, notes[0])], topic=topics.CHECKPOINTS.name + desk.env["TEST_MARK"])

    unverified = await desk.run("audit", "verify", "--key", key, fails=True)
    assert "no checkpoint of partition 1" in unverified
    unsigned = await desk.run("audit", "checkpoint", *signing, fails=True)
    assert "Nothing was signed. There is no checkpoint of partition 1" in unsigned
    done = await desk.json("audit", "checkpoint", *signing, "--out", "both")
    assert [one["partition"] for one in done["published_again"]] == [1]
    assert (await desk.json("audit", "verify", "--key", key))["verified"] is True


async def test_was_it_mandatory_and_was_ann_enrolled(desk: Desk) -> None:
    before = await desk.run("audit", "as-of", "2020-01-01", "--person", desk.ann, fails=True)
    assert "no such person then" in before
    found = await desk.json("audit", "as-of", _told(desk.enrolled), "--person", desk.ann)
    assert (found["two_factor"], found["two_factor_mandatory"]) == ("on", False)
    said = await desk.run(
        "audit", "as-of", _told(datetime.now(UTC)), "--organisation", desk.organisation
    )
    assert "2FA there     optional" in said


async def test_a_row_altered_by_hand_is_named(desk: Desk) -> None:
    alter = "UPDATE two_factor_status SET two_factor = $2 WHERE staff_id = $1"
    await desk.world.pool.execute(alter, desk.ann, "off")
    try:
        assert "aren't what the history says" in await desk.run("audit", "prove", fails=True)
    finally:
        await desk.world.pool.execute(alter, desk.ann, "on")


async def test_rebuild_and_prune(desk: Desk) -> None:
    done = await desk.json("projections", "rebuild")
    assert done["records"] > 0
    assert done["previous"] in await desk.run("projections", "prune", "--force")


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
