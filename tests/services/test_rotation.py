"""How far a rotation of the vault's key is, and when it is done."""

from datetime import UTC, datetime, timedelta

from events.keys import RotatingKey
from events.vault.sealing import seal
from services.rotation import Progress, watch
from tests.services.projections.worlds import make_world, uuid

OLD = RotatingKey("k1", {"k1": b"1" * 32})
KEY = RotatingKey("k2", {"k1": b"1" * 32, "k2": b"2" * 32})


def test_what_is_under_no_key_of_the_ring_is_waited_for_by_nobody() -> None:
    """Somebody made it up: nobody can wrap it anew, and a rotation would never end."""
    progress = Progress({"k0": 3, "k1": 2, "k2": 5, "k9": 1}, KEY)
    assert (progress.left, progress.done) == (2, 5)


async def test_given_up_it_says_what_the_topic_holds_not_what_is_folded(
    kafka: str, database: str
) -> None:
    """Where nothing is folded, nothing seems to be left."""
    async with make_world(kafka, database) as world:
        deadline = datetime.now(UTC) + timedelta(seconds=10)
        entry = seal(
            b"x", entry_id=uuid(), kind="password", owner=uuid(), deadline=deadline, key=OLD
        )
        await world.vault_topic.append(entry.id, entry.to_bytes())
        found = await watch(
            world.database, kafka, KEY,
            patience=0, show=lambda _: None, topic=world.vault_topic.topic,
        )  # fmt: skip
        assert found.under == {"k1": 1}
        assert found.left == 1
