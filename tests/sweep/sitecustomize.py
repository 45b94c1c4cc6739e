"""
Loaded by every Python process of a run with `--sweep`: notes each secret that passes through it.

It watches the few functions that every password, seed, hash, token and ticket passes through, and
writes down what it sees, once, as a line of the kind and the bytes in base64. Nothing in the
services knows of it; Python itself loads a module of this name from the path.
"""

import os
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from inspect import signature
from types import ModuleType
from typing import Any, Final

NOTES: Final = "TWOFOLD_SWEEP"
"""The environment's variable that names the file."""

WATCHED: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "services.auth.adapters.passwords": {"Argon2Passwords._peppered": ("password", "password")},
    "services.auth.domain.totp": {
        "matching_time_step": ("seed", "seed"),
        "otpauth_uri": ("seed", "seed"),
    },
    "services.auth.tickets": {
        "_derived": ("token", "return"),
        "Tickets._seal": ("ticket", "return"),
    },
    "events.vault.sealing": {"unseal": ("entry", "return"), "_data_key": ("entry's key", "return")},
    "events.keys": {"KeyRing.derive": ("server's key", "return")},
}
"""By module and function: what a secret is called, and which argument it is (or what returns)."""

_seen: set[tuple[str, bytes]] = set()


def note(kind: str, secret: str | bytes, path: str) -> None:
    """Write a secret down, once a process."""
    plain = secret.encode("utf-8", "replace") if isinstance(secret, str) else secret
    if (kind, plain) in _seen:
        return
    _seen.add((kind, plain))
    with open(path, "ab", buffering=0) as notes:  # noqa: PTH123 # One write, so lines stay whole.
        notes.write(kind.encode() + b"\t" + b64encode(plain) + b"\n")


def watch(module: ModuleType, path: str) -> None:
    """Have *module*'s functions tell of the secrets that pass through them."""
    for name, (kind, where) in WATCHED[module.__name__].items():
        owner: Any = module
        *outer, last = name.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, last, _telling(getattr(owner, last), kind, where, path))


def _telling(function: Callable[..., Any], kind: str, where: str, path: str) -> Callable[..., Any]:
    shape = signature(function)

    @wraps(function)
    def telling(*args: Any, **named: Any) -> Any:
        if where != "return":
            note(kind, shape.bind(*args, **named).arguments[where], path)
        result = function(*args, **named)
        if where == "return":
            note(kind, result, path)
        return result

    return telling


class Watching(MetaPathFinder):
    """Finds the watched modules as Python would, and watches them once they are loaded."""

    def __init__(self, path: str) -> None:
        self._path = path

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the ordinary finder find it."""
        spec = PathFinder.find_spec(name, path, target) if name in WATCHED else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_watch(module: ModuleType) -> None:
            execute(module)
            watch(module, self._path)

        spec.loader.exec_module = execute_and_watch  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Watch, where the environment says into which file."""
    path = os.environ.get(NOTES)
    if path:
        sys.meta_path.insert(0, Watching(path))


install()
