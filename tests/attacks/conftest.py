"""One running system for all attacks; what searches for what they left behind comes last."""

import os
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.demo.publisher import Publisher
from tests.attacks.earnest import Earnest, earnest_system
from tests.attacks.starting import running_system
from tests.attacks.system import Attacked
from tests.browser.people import Agency, Staffing
from tests.stack import TestStack, stack_folder

LAST = "test_searches_for_secrets"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of what takes a whole system, every run of the suite has the part that is marked `quick`."""
    for item in items:
        if "tests/attacks" not in item.nodeid:
            continue
        item.add_marker(pytest.mark.attacks)
        whole = {"world", "earnest"} & set(getattr(item, "fixturenames", ()))
        if whole and not item.get_closest_marker("quick"):
            item.add_marker(pytest.mark.thorough)
    items.sort(key=lambda item: LAST in item.nodeid)


@pytest.fixture(scope="package")
def world(stack: TestStack) -> Iterator[Attacked]:
    """Give the whole system, from outside."""
    # In no folder of pytest's: those go once other runs have made a few.
    with stack_folder() as folder, running_system(stack, folder) as running:
        yield running


@pytest.fixture
def organisation(world: Attacked) -> str:
    """Give the id of an organisation that no other test has."""
    return world.organisation("Attacked Estates")


@pytest.fixture(scope="package")
def earnest() -> Iterator[Earnest]:
    """Give an installation in production mode, with Kafka and PostgreSQL as run in earnest."""
    with earnest_system() as running:
        yield running


@dataclass(slots=True)
class Publishers:
    """The publishers' file, as an operator edits it while everything runs."""

    world: Attacked
    path: Path
    before: str
    keys: dict[str, bytes] = field(default_factory=dict)

    def add(
        self,
        key_id: str,
        commands: list[str],
        organisations: list[str],
        actors: tuple[str, ...] = ("service",),
    ) -> Publisher:
        """Register a key for these; its holder."""
        key = self.keys[key_id] = os.urandom(32)
        self.register(key_id, key, commands, organisations, actors)
        return self.world.publisher(key_id, key)

    def register(
        self,
        key_id: str,
        key: bytes,
        commands: list[str],
        organisations: list[str],
        actors: tuple[str, ...] = ("service",),
    ) -> None:
        """Register that key."""
        public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
        section = (
            f'[publishers.{key_id}]\npublic_key = "{b64encode(public).decode()}"\n'
            f'service = "{key_id}"\ncommands = {commands}\norganisations = {organisations}\n'
            f"actors = {list(actors)}\n"
        )
        self.write(f"{self.path.read_text()}\n{section}")

    def revoke_all(self) -> None:
        """Take every key out that was added."""
        self.write(self.before)

    def write(self, text: str) -> None:
        """As an editor does: whole or not at all."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o600)
        new.replace(self.path)


@pytest.fixture
def publishers(world: Attacked) -> Iterator[Publishers]:
    """Give the publishers' file; it is put back afterwards."""
    path = world.folder / "keys" / "publishers.toml"
    edited = Publishers(world, path, path.read_text())
    yield edited
    edited.revoke_all()


@pytest.fixture(scope="module")
async def agency(staffing: Staffing) -> Agency:
    """Give an organisation of the module's own there."""
    return await staffing.register_agency()


@pytest.fixture(scope="package")
async def staffing(earnest: Earnest) -> AsyncIterator[Staffing]:
    """Give support's first person there, who registers organisations and people."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        yield await Staffing.begin(earnest.system, http)
