"""The first keys of an installation: key ring, publishers, operator."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events import keys
from events.keys import KeyRing
from services.publisher import PublisherKey
from services.staff.registrations import OPERATOR, write_fresh


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """
    The files of an installation's keys, each readable by its owner alone.

    Attributes:
        ring: The key ring, which every service is given.
        publishers: Who may publish commands.
        operator: The operator's private key, which no service is given.
    """

    ring: Path
    publishers: Path
    operator: Path

    @classmethod
    def under(cls, folder: Path) -> "KeyFiles":
        """Their usual names in *folder*."""
        return cls(folder / "keys.json", folder / "publishers.toml", folder / "operator.json")

    def there(self) -> list[Path]:
        """Those that exist."""
        return [path for path in (self.ring, self.publishers, self.operator) if path.exists()]


def generate(files: KeyFiles, *, development: bool = False) -> KeyRing:
    """
    Make all keys anew; those for *development* are refused in production.

    Raises:
        KeyRingError: One of the files exists already; none is touched.
    """
    if there := files.there():
        raise keys.KeyRingError(f"{there[0]} exists already; move it away to make new keys.")
    files.ring.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    ring = keys.generate(development=development)
    operator = PublisherKey(OPERATOR, secrets.token_bytes(keys.KEY_BYTES))
    operator.save(files.operator)
    public = Ed25519PrivateKey.from_private_bytes(operator.key).public_key()
    write_fresh(files.publishers, ring, public)
    # The ring comes last: where it is there, the others are.
    keys.save(ring, files.ring)
    return ring


def ensure(files: KeyFiles) -> KeyRing:
    """
    The key ring; all keys are made where it was never written.

    Raises:
        KeyRingError: The ring can't be used, or the other files are gone.
    """
    if not files.ring.exists():
        for cut_off in files.there():
            cut_off.unlink()
        return generate(files, development=True)
    return keys.load(files.ring)
