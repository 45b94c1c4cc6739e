"""
The key ring's file as it changes: read again without a restart, and changed in whole steps.

A new key is first *prepared* (every reader knows it) and then made *current* (writers use it).
Whoever meets a key id that it doesn't know looks at the file again before it judges, so that one
file that all processes share needs no pause between the two. Copies on several machines do: each
has to have the prepared key before any of them makes it current, for what is written under it
would otherwise count as forged there, for ever.
"""

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from events import keys
from events.key_id import number
from events.keys import KeyRing, KeyRingError, RotatingKey

Purpose = Literal["encryption", "mac"]

_Stamp = tuple[int, int, int]
_D = TypeVar("_D")
_ROTATE: Final[Mapping[Purpose, str]] = {
    "encryption": "twofold keys rotate",
    "mac": "twofold keys rotate --mac",
}


class _Keys(dict[str, bytes]):
    """Keys by id; one that isn't there is looked for in the file again."""

    def __init__(self, known: Mapping[str, bytes], file: "KeyFile") -> None:
        super().__init__(known)
        self._file = file

    def __missing__(self, name: str) -> bytes:
        self._file.refresh()
        if name in self:
            return super().__getitem__(name)
        raise KeyError(name)

    def get(self, name: str, default: _D | None = None) -> bytes | _D | None:  # type: ignore[override] # One of dict's overloads.
        try:
            return self[name]
        except KeyError:
            return default


class KeyFile:
    """
    A key ring that follows its file.

    Attributes:
        ring: The same object for ever; its encryption and MAC keys change within it.
        complaint: Why the file, as it is now, isn't followed; None where it is.
        changes: How often the file was found changed, whoever asked.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            KeyRingError: It is missing, readable by others, or no key ring.
        """
        self._path, self._lock = path, threading.RLock()
        self._stamp = _stamp(path)
        ring = keys.load(path)
        self.ring = replace(
            ring,
            encryption=RotatingKey(ring.encryption.current, _Keys(ring.encryption.keys, self)),
            mac=RotatingKey(ring.mac.current, _Keys(ring.mac.keys, self)),
        )
        self.complaint: str | None = None
        self.changes = 0

    def refresh(self) -> bool:
        """
        Follow the file, if it has changed.

        Returns:
            Whether it had. What can't be followed leaves the keys as they are, and a `complaint`.
        """
        with self._lock:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            self.changes += 1
            try:
                self._follow(keys.load(self._path))
            except KeyRingError as error:
                self.complaint = str(error)
            else:
                self.complaint = None
            return True

    def _follow(self, found: KeyRing) -> None:
        ring = self.ring
        if (found.root, found.signing) != (ring.root, ring.signing):
            raise KeyRingError(f"{self._path} holds another installation's keys; restore it.")
        if lost := ring.mac.keys.keys() - found.mac.keys.keys():
            raise KeyRingError(
                f"{self._path} has lost the MAC key {min(lost)}: records that it made would turn"
                " forged; restore it."
            )
        self._refuse_others(ring.mac, found.mac, "MAC key")
        self._refuse_others(ring.encryption, found.encryption, "key-encryption key")
        _become(ring.mac, found.mac)
        _become(ring.encryption, found.encryption)

    def _refuse_others(self, live: RotatingKey, found: RotatingKey, what: str) -> None:
        """What one of two keys of one name has made would turn forged, or never be opened again."""
        for name in sorted(live.keys.keys() & found.keys.keys(), key=number):
            if live.keys[name] != found.keys[name]:
                raise KeyRingError(
                    f"{self._path} has another {what} by the name of {name} than the one in use:"
                    " the ring was rotated on two machines; restore the one in use, and rotate on"
                    " one machine alone."
                )


def prepare(path: Path, purpose: Purpose) -> str:
    """
    Add a new key that isn't used yet.

    Returns:
        Its id.

    Raises:
        KeyRingError: The ring can't be used, or one is prepared already.
    """
    with _changing(path) as ring:
        old: RotatingKey = getattr(ring, purpose)
        if waiting := prepared(old):
            raise KeyRingError(f"Key {waiting} is prepared already: {_ROTATE[purpose]} --activate")
        name = f"k{number(max(old.keys, key=number)) + 1}"
        known = {**old.keys, name: secrets.token_bytes(keys.KEY_BYTES)}
        _write(path, ring, purpose, RotatingKey(old.current, known))
        return name


def activate(path: Path, purpose: Purpose) -> str:
    """
    Make the prepared key the one to write with.

    Returns:
        Its id.

    Raises:
        KeyRingError: The ring can't be used, or none is prepared.
    """
    with _changing(path) as ring:
        old: RotatingKey = getattr(ring, purpose)
        name = prepared(old)
        if name is None:
            raise KeyRingError(f"No key is prepared; prepare one: {_ROTATE[purpose]} --prepare")
        _write(path, ring, purpose, RotatingKey(name, old.keys))
        return name


def drop(path: Path, name: str) -> None:
    """
    Take an old key-encryption key out of the ring; that nothing is left under it is not asked here.

    Raises:
        KeyRingError: It is the current one, or there is none of that name.
    """
    with _changing(path) as ring:
        old = ring.encryption
        if name not in old.keys:
            raise KeyRingError(f"There is no key {name} in {path}.")
        if name == old.current:
            raise KeyRingError(f"Key {name} is the current one; rotate first.")
        rest = {known: key for known, key in old.keys.items() if known != name}
        _write(path, ring, "encryption", RotatingKey(old.current, rest))


def prepared(key: RotatingKey) -> str | None:
    """The id of the key that is newer than the current one, if there is one."""
    newest = max(key.keys, key=number)
    return newest if number(newest) > number(key.current) else None


def replaced(key: RotatingKey) -> list[str]:
    """Ids of the keys that are older than the current one, oldest first."""
    return sorted((k for k in key.keys if number(k) < number(key.current)), key=number)


def _become(live: RotatingKey, found: RotatingKey) -> None:
    """In an order in which the current key is there at every moment."""
    known = live.keys
    assert isinstance(known, dict)  # noqa: S101 # `KeyFile` made it.
    known.update(found.keys)
    live.current = found.current
    for name in known.keys() - found.keys.keys():
        del known[name]


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def _changing(path: Path) -> Iterator[KeyRing]:
    """The ring, while nobody else changes it."""
    beside = path.with_name(f"{path.name}.lock")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield keys.load(path)


def _write(path: Path, ring: KeyRing, purpose: Purpose, key: RotatingKey) -> None:
    """The whole file or none of it, whenever the machine stops; its owner stays its owner."""
    before = path.stat()
    changed = replace(ring, encryption=key) if purpose == "encryption" else replace(ring, mac=key)
    text = keys.dump(changed)
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(file.fileno(), before.st_uid, before.st_gid)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


__all__ = ["KeyFile", "Purpose", "activate", "drop", "prepare", "prepared", "replaced"]
