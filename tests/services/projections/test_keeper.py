"""The vault's keeper: what it forgets, when, and what it never does."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import pytest

from events import streams
from events.keys import RotatingKey
from events.log.bulk import bulk_messages
from events.log.proposal import Draft
from events.staff import (
    PasswordRehashed,
    PasswordSet,
    StaffForgotten,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from events.vault.port import MissingEntryError
from events.vault.sealing import Kind, SealedEntry, seal, unseal
from services.projections.keeper import Keeper
from services.projections.port import ProjectionUnavailableError
from services.projections.projector import Projector
from services.projections.vault_projector import VaultProjector
from tests.services.projections.worlds import PARTITIONS, World, registered, running, until, uuid


def keeper(world: World, **changes: object) -> Keeper:
    settings = {"events": world.events, "tick": world.writer.tick} | changes
    return Keeper(world.pool, world.vault_topic, world.ring.encryption, **settings)  # type: ignore[arg-type]


async def put(
    world: World, owner: str, kind: Kind, *, lasts: timedelta = timedelta(seconds=10)
) -> SealedEntry:
    entry = seal(
        b"secret",
        entry_id=uuid(),
        kind=kind,
        owner=owner,
        deadline=datetime.now(UTC).replace(microsecond=0) + lasts,
        key=world.ring.encryption,
    )
    await world.vault.put(entry)
    return entry


async def gone(world: World, *entries: SealedEntry) -> None:
    """Wait until all of them are forgotten."""

    async def are_gone() -> bool:
        return not await world.vault.find([entry.id for entry in entries])

    await until(are_gone)


async def person_with_secrets(world: World) -> tuple[str, str, list[SealedEntry]]:
    organisation, staff = await world.organisation(), uuid()
    entries = [
        await put(world, staff, "personal"),
        await put(world, staff, "password"),
        await put(world, staff, "authenticator"),
    ]
    await world.write(
        Draft(streams.account(organisation, staff), registered(data_key=entries[0].id))
    )
    await set_password(world, organisation, staff, entries[1].id)
    await world.write(
        Draft(
            streams.account(organisation, staff),
            TwoFactorEnrolled(authenticator=entries[2].id, method="totp", time_step=1),
        )
    )
    return organisation, staff, entries


async def set_password(world: World, organisation: str, staff: str, entry_id: str) -> None:
    fact = PasswordSet(credential=entry_id, choice="keep_existing", origin="expired")
    await world.write(Draft(streams.account(organisation, staff), fact))


class TestForgetting:
    async def test_a_superseded_password_goes_within_two_seconds(self, folded: World) -> None:
        organisation, staff, entries = await person_with_secrets(folded)
        newer = await put(folded, staff, "password")
        async with running(keeper(folded).run()):
            await set_password(folded, organisation, staff, newer.id)
            async with asyncio.timeout(2):
                await gone(folded, entries[1])
            assert set(await folded.vault.find([e.id for e in (*entries, newer)])) == {
                entries[0].id,
                entries[2].id,
                newer.id,
            }

    async def test_the_weaker_hash_of_a_password_goes(self, folded: World) -> None:
        organisation, staff, entries = await person_with_secrets(folded)
        stronger = await put(folded, staff, "password")
        fact = PasswordRehashed(credential=stronger.id)
        await folded.write(Draft(streams.account(organisation, staff), fact))
        await keeper(folded).forget_retired()
        await gone(folded, entries[1])
        assert await folded.vault.get(stronger.id) == stronger

    async def test_a_disabled_authenticator_goes(self, folded: World) -> None:
        organisation, staff, entries = await person_with_secrets(folded)
        fact = TwoFactorDisabled(cause="administrator")
        await folded.write(Draft(streams.account(organisation, staff), fact))
        await keeper(folded).forget_retired()
        await gone(folded, entries[2])

    async def test_with_a_forgotten_person_everything_of_theirs_goes(self, folded: World) -> None:
        organisation, staff, entries = await person_with_secrets(folded)
        unnamed = await put(folded, staff, "password")
        await folded.write(Draft(streams.account(organisation, staff), StaffForgotten()))
        await keeper(folded).forget_retired()
        await gone(folded, *entries, unnamed)


class TestSweeping:
    async def test_an_entry_that_no_event_came_to_name_goes_after_its_deadline(
        self, folded: World
    ) -> None:
        _, staff, entries = await person_with_secrets(folded)
        stray = await put(folded, staff, "password", lasts=timedelta(seconds=-1))
        fresh = await put(folded, staff, "password")
        orphan = await put(folded, uuid(), "personal", lasts=timedelta(seconds=-1))
        sweeping = keeper(folded, grace=timedelta(0))

        async def are_gone() -> bool:
            await sweeping.sweep()  # The first may have to make time move.
            return not await folded.vault.find([stray.id, orphan.id])

        await until(are_gone)
        assert set(await folded.vault.find([e.id for e in (*entries, fresh)])) == {
            *(entry.id for entry in entries),
            fresh.id,
        }

    async def test_by_the_folded_clock_alone(self, folded: World) -> None:
        """An event that names it may be on its way: no clock but the partition's can tell."""
        _, staff, _ = await person_with_secrets(folded)
        stray = await put(folded, staff, "password", lasts=timedelta(seconds=-1))

        async def no_tick(partition: int) -> int:
            return partition

        clock = await folded.pool.fetchval(
            "SELECT max(clock) FROM partition_state WHERE topic = $1", folded.events
        )
        await folded.pool.execute(
            "UPDATE vault_entry SET deadline = $1 WHERE id = $2", clock, stray.id
        )
        await keeper(folded, grace=timedelta(0), tick=no_tick).sweep()
        assert await folded.vault.find([stray.id])

    async def test_only_once_something_is_folded_of_every_partition(self, own_world: World) -> None:
        """Whoever it belongs to may stand in one that nothing is folded of yet."""
        world, [events, *_] = own_world, own_world.sources
        sweeping = keeper(world, grace=timedelta(0))
        projectors = [
            Projector(world.pool, events, partition, world.ring.mac.keys)
            for partition in range(PARTITIONS)
        ]

        async def is_gone() -> bool:
            await sweeping.sweep()  # The first may have to make time move.
            return not await world.vault.find([orphan.id])

        async with AsyncExitStack() as stack:
            for partition in range(PARTITIONS):
                vault = VaultProjector(
                    world.pool, world.vault_topic, partition, world.ring.encryption
                )
                await stack.enter_async_context(running(vault.run()))
            orphan = await put(world, uuid(), "personal", lasts=timedelta(seconds=-1))
            await stack.enter_async_context(running(projectors[0].run()))
            ticked = await world.writer.tick(0)
            assert await world.fates.passed(0, ticked, timedelta(seconds=20))
            assert await sweeping.sweep() == 0
            await stack.enter_async_context(running(projectors[1].run()))
            await until(is_gone)


class TestStirring:
    async def test_a_quiet_partition_is_given_a_record_so_that_kafka_forgets_too(
        self, folded: World
    ) -> None:
        _, _, entries = await person_with_secrets(folded)
        topic = folded.vault_topic

        async def ends() -> list[int]:
            return [await topic.end(partition) for partition in range(PARTITIONS)]

        for partition in range(PARTITIONS):  # None of them has nothing.
            entry_id = next(i for _ in count() if topic.partition_of(i := uuid()) == partition)
            await folded.vault.forget(entry_id)
        before = await ends()
        await keeper(folded).stir()
        assert await ends() == before
        await keeper(folded, quiet=timedelta(0)).stir()
        assert await ends() == [end + 1 for end in before]
        assert len(await folded.vault.find([entry.id for entry in entries])) == len(entries)

    async def test_not_while_what_came_last_is_not_folded(
        self, own_world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A partition that was halted was given one each half minute."""
        world, topic = own_world, own_world.vault_topic
        async with world.folding():
            await person_with_secrets(world)
        await topic.append(uuid(), None)
        ends = [await topic.end(partition) for partition in range(PARTITIONS)]
        monkeypatch.setattr("services.projections.keeper.CAUGHT_UP_WITHIN", timedelta(0))
        with pytest.raises(ProjectionUnavailableError):
            await keeper(world, quiet=timedelta(0)).stir()
        assert [await topic.end(partition) for partition in range(PARTITIONS)] == ends


class TestRestoring:
    async def test_what_somebody_wrote_over_an_entry_is_not_what_the_topic_is_left_with(
        self, folded: World
    ) -> None:
        """Compaction keeps the last value alone, and a vault may be folded from that."""
        _, _, entries = await person_with_secrets(folded)
        first, second, third = entries
        lies = [
            (first.id, replace(first, key_id="k0", wrapped_key=b"made up").to_bytes()),
            (second.id, replace(second, sealed=first.sealed).to_bytes()),
            (third.id, b"garbage"),
        ]
        await folded.vault_topic.append_all(lies)
        assert await last_values(folded, entries) == dict(lies)

        async def are_restored() -> bool:
            await keeper(folded).restore()
            return await last_values(folded, entries) == {e.id: e.to_bytes() for e in entries}

        await until(are_restored)
        assert await folded.vault.find([e.id for e in entries]) == {e.id: e for e in entries}

        async def nothing_is_left_to_do() -> bool:
            return await keeper(folded).restore() == 0

        await until(nothing_is_left_to_do)

    async def test_what_was_forgotten_is_not_brought_back(self, folded: World) -> None:
        organisation, staff, entries = await person_with_secrets(folded)
        gone_already = entries[2]
        await folded.vault_topic.append(gone_already.id, b"garbage")
        fact = TwoFactorDisabled(cause="administrator")
        await folded.write(Draft(streams.account(organisation, staff), fact))
        keeping = keeper(folded)
        await keeping.forget_retired()
        await keeping.restore()
        assert await last_values(folded, [gone_already]) == {gone_already.id: None}


async def last_values(world: World, entries: Sequence[SealedEntry]) -> dict[str, bytes | None]:
    """What compaction would leave of them in the vault's topic."""
    found: dict[str, bytes | None] = {}
    topic = world.vault_topic
    for partition in range(PARTITIONS):
        end = await topic.end(partition)
        reading = partial(bulk_messages, world.kafka, topic.topic, partition, 0, end)
        for messages in await asyncio.to_thread(lambda reading: list(reading()), reading):
            found |= {(one.key() or b"").decode(): one.value() for one in messages}
    return {entry.id: found[entry.id] for entry in entries}


class TestRotation:
    async def test_entries_are_wrapped_under_the_current_key(self, folded: World) -> None:
        _, staff, _ = await person_with_secrets(folded)
        entry = await put(folded, staff, "password")
        gone_already = await put(folded, staff, "password")
        await folded.vault.forget(gone_already.id)
        ring = folded.ring.encryption
        known = {**ring.keys, "k2": bytes(range(32))}
        ring.keys = known  # As the projectors' own file has it, which is read when it changes.
        newer = RotatingKey("k2", known)
        rotating = Keeper(
            folded.pool, folded.vault_topic, newer, events=folded.events, tick=folded.writer.tick
        )
        assert await rotating.rewrap_old() > 0

        async def is_rewrapped() -> bool:
            return (await folded.vault.get(entry.id)).key_id == "k2"

        await until(is_rewrapped)
        found = await folded.vault.get(entry.id)
        assert found == replace(entry, key_id="k2", wrapped_key=found.wrapped_key)
        secret = unseal(found, entry_id=entry.id, kind="password", owner=staff, key=newer)
        assert secret == b"secret"
        with pytest.raises(MissingEntryError):
            await folded.vault.get(gone_already.id)
